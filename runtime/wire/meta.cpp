#include <coppice/runtime/wire/meta.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/cursor.hpp>

#include <msgpack.hpp>

namespace coppice::wire {
namespace {

void pack_text(msgpack::packer<buffer>& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

} // namespace

result<envelope_meta> parse_meta(std::span<const std::byte> bytes) {
  const auto refused = [](const char* why) { return failure_because("decode", "meta", why); };
  envelope_meta meta;
  if (bytes.empty()) return meta;
  cursor at{bytes};
  const auto pairs = at.pairs();
  if (!pairs) return refused("it is not a map");
  for (std::size_t i = 0; i < *pairs; ++i) {
    const auto key = at.text();
    if (!key && !at.value()) return refused("it is cut off");
    if (key == "id" || key == "re") {
      const auto number = at.number();
      if (!number || *number == 0) return refused("an ask's number is not a number above 0");
      (key == "id" ? meta.ask : meta.answers) = *number;
    } else if (key == "error") {
      const auto text = at.text();
      if (!text || text->empty() || text->size() > limits::reason)
        return refused("its error is not a text");
      meta.failure = *text;
    } else if (!at.value()) {
      return refused("it is cut off");
    }
  }
  if (!at.at_end()) return refused("bytes follow its end");
  return meta;
}

std::span<const std::byte> encode_meta(const envelope_meta& meta, buffer& out) {
  out.clear();
  const auto entries = static_cast<std::uint32_t>(
      (meta.ask != 0 ? 1 : 0) + (meta.answers != 0 ? 1 : 0) + (meta.failure.empty() ? 0 : 1));
  if (entries == 0) return out.bytes();
  msgpack::packer<buffer> packer{out};
  packer.pack_map(entries);
  if (meta.ask != 0) {
    pack_text(packer, "id");
    packer.pack_uint64(meta.ask);
  }
  if (meta.answers != 0) {
    pack_text(packer, "re");
    packer.pack_uint64(meta.answers);
  }
  if (!meta.failure.empty()) {
    pack_text(packer, "error");
    pack_text(packer, meta.failure.substr(0, limits::reason));
  }
  return out.bytes();
}

} // namespace coppice::wire
