#include <coppice/runtime/wire/envelope.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/cursor.hpp>
#include <coppice/runtime/wire/frame.hpp>

#include <msgpack.hpp>
#include <optional>
#include <stdexcept>

namespace coppice::wire {
namespace {

std::optional<address> read_address(cursor& at) {
  if (const auto id = at.number()) return address{.id = *id, .name = {}};
  const auto name = at.text();
  if (!name || name->empty() || name->size() > limits::address_name) return std::nullopt;
  return address{.id = 0, .name = *name};
}

void pack_text(msgpack::packer<buffer>& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

void pack_address(msgpack::packer<buffer>& packer, const address& who) {
  if (who.is_name()) {
    pack_text(packer, who.name);
  } else {
    packer.pack_uint64(who.id);
  }
}

std::size_t size_of_text(std::string_view text) { return text.size() + (text.size() < 32 ? 1 : 2); }

std::size_t size_of_address(const address& who) {
  if (who.is_name()) return size_of_text(who.name);
  return who.id < 0x80          ? 1
         : who.id <= 0xff       ? 2
         : who.id <= 0xffff     ? 3
         : who.id <= 0xffffffff ? 5
                                : 9;
}

} // namespace

result<envelope_view> parse_envelope(std::span<const std::byte> body) {
  const auto refused = [](const char* why) { return failure_because("decode", "envelope", why); };
  cursor at{body};
  const auto fields = at.array();
  if (!fields || (*fields != 4 && *fields != 5)) return refused("it is not an array of 4 or 5");
  const auto type = at.text();
  if (!type || type->empty() || type->size() > limits::envelope_type)
    return refused("its type is not a string of 1 to 255 bytes");
  const auto from = read_address(at);
  const auto to = from ? read_address(at) : std::nullopt;
  if (!to) return refused("an address is neither a number nor a string of 1 to 255 bytes");
  const auto msg = at.value();
  if (!msg) return refused("its message is cut off, nested too deep or not msgpack");
  std::optional<std::span<const std::byte>> meta = std::span<const std::byte>{};
  if (*fields == 5) meta = at.map();
  if (!meta) return refused("its meta is not a well-formed map");
  if (!at.at_end()) return refused("bytes follow its end");
  return envelope_view{*type, *from, *to, *msg, *meta};
}

std::span<const std::byte> encode_head(const envelope_view& envelope, buffer& out) {
  const auto& [type, from, to, msg, meta] = envelope;
  if (type.empty() || type.size() > limits::envelope_type || msg.empty() ||
      from.name.size() > limits::address_name || to.name.size() > limits::address_name)
    throw std::length_error{"envelope: a type, a name or the message breaks its bounds"};
  const auto length = 1 + size_of_text(type) + size_of_address(from) + size_of_address(to) +
                      msg.size() + meta.size();
  if (length > limits::envelope) throw std::length_error{"envelope: longer than 16 MiB"};

  out.clear();
  const auto prefix = frame_prefix(length);
  out.write(reinterpret_cast<const char*>(prefix.data()), prefix.size());
  msgpack::packer<buffer> packer{out};
  packer.pack_array(meta.empty() ? 4 : 5);
  pack_text(packer, type);
  pack_address(packer, from);
  pack_address(packer, to);
  return out.bytes();
}

void append_envelope(const envelope_view& envelope, std::vector<std::byte>& out) {
  buffer head;
  const auto bytes = encode_head(envelope, head);
  out.insert(out.end(), bytes.begin(), bytes.end());
  out.insert(out.end(), envelope.msg.begin(), envelope.msg.end());
  out.insert(out.end(), envelope.meta.begin(), envelope.meta.end());
}

} // namespace coppice::wire
