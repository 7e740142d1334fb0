#include <coppice/runtime/wire/control.hpp>

#include <coppice/runtime/limits.hpp>

#include <algorithm>
#include <bit>
#include <limits>
#include <msgpack.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

namespace coppice::wire {
namespace {

enum class tag : std::uint32_t {
  hello = 1,
  ready = 2,
  room = 3,
  handed_back = 4,
  failed = 5,
  bye = 6,
  retire = 7,
  connections = 32,
  drain = 33,
  message_room = 34,
  datagrams = 35,
  spawn = 64,
  spare = 65,
  zygote_hello = 96,
  spawned = 97,
  spawn_failed = 98,
};

// ---- encode

// Cut to the bound, and not inside a UTF-8 character.
std::string_view fitting(std::string_view text) {
  if (text.size() <= limits::reason) return text;
  std::size_t size = limits::reason;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return text.substr(0, size);
}

class packet {
public:
  packet(buffer& out, tag which, std::uint32_t fields) : out_{out}, packer_{out} {
    out.clear();
    packer_.pack_array(1 + fields);
    number(static_cast<std::uint32_t>(which));
  }
  packet& array(std::size_t items, std::size_t bound) {
    if (items > bound) throw std::length_error{"control packet: list too long"};
    packer_.pack_array(static_cast<std::uint32_t>(items));
    return *this;
  }
  packet& number(std::uint64_t value) {
    packer_.pack_uint64(value);
    return *this;
  }
  packet& pid(std::int32_t value) {
    return number(value > 0 ? static_cast<std::uint32_t>(value) : 0);
  }
  packet& text(std::string_view value) {
    const auto cut = fitting(value);
    packer_.pack_str(static_cast<std::uint32_t>(cut.size()));
    packer_.pack_str_body(cut.data(), static_cast<std::uint32_t>(cut.size()));
    return *this;
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return out_.bytes(); }

private:
  buffer& out_;
  msgpack::packer<buffer> packer_;
};

// ---- decode

// What take_steps relies on.
bool well_formed(const setup_step& step) {
  const auto below = [&](std::uint64_t bound, std::size_t least, std::size_t most) {
    return step.text.empty() && step.numbers.size() >= least && step.numbers.size() <= most &&
           std::all_of(step.numbers.begin(), step.numbers.end(),
                       [&](std::uint64_t number) { return number < bound; });
  };
  const auto is_text = [&](bool assignment) {
    const auto equals = step.text.find('=');
    return step.numbers.empty() && !step.text.empty() && step.text.find('\0') == step.text.npos &&
           (assignment ? equals != 0 && equals != step.text.npos : equals == step.text.npos);
  };
  constexpr std::uint64_t no_id = std::numeric_limits<std::uint32_t>::max(); // "leave it as it is"
  switch (step.kind) {
  case setup_kind::clear_environment:
  case setup_kind::no_new_privileges:
    return below(0, 0, 0);
  case setup_kind::unset_variable:
    return is_text(false);
  case setup_kind::set_variable:
    return is_text(true);
  case setup_kind::limit:
    return step.text.empty() && step.numbers.size() == 3;
  case setup_kind::nice:
    return below(40, 1, 1);
  case setup_kind::processors:
    return below(limits::processors, 1, limits::processors);
  case setup_kind::umask:
    return below(01000, 1, 1);
  case setup_kind::groups:
    return below(no_id, 0, limits::supplementary_groups);
  case setup_kind::gid:
  case setup_kind::uid:
    return below(no_id, 1, 1);
  case setup_kind::directory:
    return step.numbers.empty() && step.text.starts_with('/') &&
           step.text.find('\0') == step.text.npos;
  }
  return false;
}

// Reads the fields of one packet in order. The first that does not fit is remembered; those after
// it read as zero, and nobody looks at them.
class fields {
public:
  explicit fields(const msgpack::object_array& packet) : packet_{packet} {}

  std::uint64_t number(const char* what,
                       std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) {
    return as_number(next(what), what, most);
  }
  std::uint32_t u32(const char* what) {
    return static_cast<std::uint32_t>(number(what, std::numeric_limits<std::uint32_t>::max()));
  }
  /// A field that came later: 0 from a sender that does not know it.
  std::uint32_t u32_if_there(const char* what) { return at_ < packet_.size ? u32(what) : 0; }
  std::int32_t pid() {
    const auto value = number("pid", std::numeric_limits<std::int32_t>::max());
    if (value == 0) reject("pid", "is zero");
    return static_cast<std::int32_t>(value);
  }
  std::string text(const char* what) {
    const auto* value = next(what);
    if (value == nullptr) return {};
    if (value->type != msgpack::type::STR) return reject(what, "is not a string"), std::string{};
    if (value->via.str.size > limits::reason) return reject(what, "is too long"), std::string{};
    return {value->via.str.ptr, value->via.str.size};
  }
  std::string name(const char* what) {
    auto value = text(what);
    if (value.empty()) reject(what, "is empty");
    return value;
  }
  void address(const char* what, std::uint64_t& id, std::string& name) {
    const auto* value = at_ < packet_.size ? &packet_.ptr[at_] : nullptr;
    if (value == nullptr || value->type != msgpack::type::STR) {
      id = number(what);
      return;
    }
    name = this->name(what);
    if (name.size() > limits::address_name) reject(what, "is too long");
  }
  std::vector<std::uint64_t> numbers(const char* what, std::size_t most) {
    std::vector<std::uint64_t> all;
    for (const auto& item : list(what, most))
      all.push_back(as_number(&item, what, std::numeric_limits<std::uint64_t>::max()));
    return all;
  }
  std::vector<std::uint32_t> endpoints(const char* what) {
    std::vector<std::uint32_t> all;
    for (const auto& item : list(what, limits::control_fds))
      all.push_back(static_cast<std::uint32_t>(
          as_number(&item, what, std::numeric_limits<std::uint32_t>::max())));
    if (all.empty()) reject(what, "is empty");
    return all;
  }
  std::vector<offered> offers(const char* what) {
    std::vector<offered> all;
    const auto items = list(what, limits::control_fds);
    if (items.empty()) reject(what, "is empty");
    all.reserve(items.size());
    for (const auto& item : items) {
      if (item.type != msgpack::type::ARRAY)
        return reject(what, "has an item that is no array"), all;
      fields inner{item.via.array};
      all.push_back({.id = inner.number("id"),
                     .listener = inner.u32("listener"),
                     .lease = inner.u32_if_there("lease")});
      if (inner.wrong_) wrong_ = std::move(inner.wrong_);
    }
    return all;
  }

  /// A list that may be missing: nothing is set then.
  std::vector<setup_step> steps(const char* what) {
    std::vector<setup_step> all;
    if (at_ == packet_.size) return all;
    for (const auto& item : list(what, limits::setup_steps)) {
      if (item.type != msgpack::type::ARRAY)
        return reject(what, "has an item that is no array"), all;
      fields inner{item.via.array};
      setup_step step;
      step.kind = static_cast<setup_kind>(inner.number("kind", last_setup_kind));
      step.text = inner.text("text");
      step.numbers = inner.numbers("numbers", limits::processors);
      if (inner.wrong_) wrong_ = std::move(inner.wrong_);
      if (!wrong_ && !well_formed(step)) reject(what, "has a step that means nothing");
      all.push_back(std::move(step));
    }
    return all;
  }

  template <class T>
  result<control_message> done(T message) {
    if (wrong_) return failure_because("decode", "control packet", std::move(*wrong_));
    return control_message{std::move(message)};
  }

private:
  const msgpack::object* next(const char* what) {
    if (at_ < packet_.size) return &packet_.ptr[at_++];
    reject(what, "is missing");
    return nullptr;
  }
  std::uint64_t as_number(const msgpack::object* value, const char* what, std::uint64_t most) {
    if (value == nullptr) return 0;
    if (value->type != msgpack::type::POSITIVE_INTEGER)
      return reject(what, "is not an unsigned number"), 0;
    if (value->via.u64 > most) return reject(what, "is too large"), 0;
    return value->via.u64;
  }
  std::span<const msgpack::object> list(const char* what, std::size_t most) {
    const auto* value = next(what);
    if (value == nullptr) return {};
    if (value->type != msgpack::type::ARRAY)
      return reject(what, "is not an array"), std::span<const msgpack::object>{};
    if (value->via.array.size > most)
      return reject(what, "is too long"), std::span<const msgpack::object>{};
    return {value->via.array.ptr, value->via.array.size};
  }
  void reject(const char* what, const char* why) {
    if (!wrong_) wrong_ = std::string{what} + ' ' + why;
  }

  const msgpack::object_array& packet_;
  std::uint32_t at_ = 0;
  std::optional<std::string> wrong_;
};

result<control_message> decode_fields(const msgpack::object_array& packet) {
  fields in{packet};
  const auto number = in.number("tag");
  if (number > std::numeric_limits<std::uint32_t>::max()) return in.done(unknown{number});
  // Braces: the fields are read from left to right.
  switch (static_cast<tag>(number)) {
  case tag::hello:
    return in.done(hello{in.u32("version"), in.pid(), in.number("incarnation")});
  case tag::ready:
    return in.done(ready{});
  case tag::room:
    return in.done(room{});
  case tag::handed_back:
    return in.done(handed_back{in.numbers("connections", limits::control_ids), in.text("reason")});
  case tag::failed:
    return in.done(failed{in.text("reason")});
  case tag::bye:
    return in.done(bye{});
  case tag::retire:
    return in.done(retire{in.text("reason"), in.number("failed", 1) != 0});
  case tag::connections:
    return in.done(connections{in.offers("items")});
  case tag::drain:
    return in.done(drain{in.u32("deadline_ms"), in.u32_if_there("yield")});
  case tag::message_room: {
    message_room message;
    in.address("to", message.id, message.name);
    message.room = in.number("room", 1) != 0;
    return in.done(std::move(message));
  }
  case tag::datagrams:
    return in.done(datagrams{in.endpoints("listeners")});
  case tag::spawn: {
    // A bit that is not known would leave the place of the descriptors after it unknown too.
    spawn message{in.number("request_id"), in.name("group"),         in.name("name"),
                  in.number("worker_id"),  in.number("incarnation"), 0};
    message.fds = static_cast<std::uint32_t>(in.number("fds", spawn_all_fds));
    message.setup = in.steps("setup");
    return in.done(std::move(message));
  }
  case tag::spare:
    return in.done(spare{in.number("request_id")});
  case tag::zygote_hello:
    return in.done(zygote_hello{in.u32("version"), in.pid(), in.u32("threads"), in.text("error")});
  case tag::spawned:
    return in.done(spawned{in.number("request_id"), in.pid()});
  case tag::spawn_failed:
    return in.done(spawn_failed{in.number("request_id"), in.text("reason")});
  }
  return in.done(unknown{number});
}

constexpr bool refer_to_text(msgpack::type::object_type, std::size_t, void*) { return true; }

} // namespace

result<control_message> decode_control(std::span<const std::byte> packet) {
  const auto refused = [](std::string why) {
    return failure_because("decode", "control packet", std::move(why));
  };
  if (packet.empty()) return refused("it is empty");
  if (packet.size() > limits::control_packet) return refused("it is too long");
  // What a header claims is allocated before the elements are seen: 5 bytes can ask for 96 GB. With
  // these limits it is at most depth * control_ids objects.
  const msgpack::unpack_limit bounds{limits::control_ids,    limits::control_ids,
                                     limits::control_packet, limits::control_packet,
                                     limits::control_packet, limits::msgpack_depth};
  try {
    std::size_t end = 0;
    const auto value = msgpack::unpack(reinterpret_cast<const char*>(packet.data()), packet.size(),
                                       end, refer_to_text, nullptr, bounds);
    if (end != packet.size()) return refused("bytes follow its end");
    if (value.get().type != msgpack::type::ARRAY) return refused("it is not an array");
    return decode_fields(value.get().via.array);
  } catch (const msgpack::unpack_error& broken) {
    return refused(broken.what());
  }
}

std::string_view name_of(const control_message& message) noexcept {
  static constexpr std::string_view names[] = {
      "unknown", "hello",  "ready",        "room",    "handed_back",  "failed",
      "bye",     "retire", "connections",  "drain",   "message_room", "datagrams",
      "spawn",   "spare",  "zygote_hello", "spawned", "spawn_failed"};
  static_assert(std::size(names) == std::variant_size_v<control_message>);
  return names[message.index()];
}

std::size_t descriptors_of(const control_message& message) noexcept {
  if (const auto* offer = std::get_if<connections>(&message)) return offer->items.size();
  if (const auto* sockets = std::get_if<datagrams>(&message)) return sockets->listeners.size();
  if (const auto* request = std::get_if<spawn>(&message))
    return static_cast<std::size_t>(std::popcount(request->fds));
  const bool one =
      std::holds_alternative<spawned>(message) || std::holds_alternative<spare>(message);
  return one ? 1 : 0;
}

std::span<const std::byte> encode_control(const hello& m, buffer& out) {
  return packet{out, tag::hello, 3}.number(m.version).pid(m.pid).number(m.incarnation).bytes();
}
std::span<const std::byte> encode_control(const ready&, buffer& out) {
  return packet{out, tag::ready, 0}.bytes();
}
std::span<const std::byte> encode_control(const room&, buffer& out) {
  return packet{out, tag::room, 0}.bytes();
}
std::span<const std::byte> encode_control(const handed_back& m, buffer& out) {
  packet p{out, tag::handed_back, 2};
  p.array(m.connections.size(), limits::control_ids);
  for (auto id : m.connections) p.number(id);
  return p.text(m.reason).bytes();
}
std::span<const std::byte> encode_control(const failed& m, buffer& out) {
  return packet{out, tag::failed, 1}.text(m.reason).bytes();
}
std::span<const std::byte> encode_control(const bye&, buffer& out) {
  return packet{out, tag::bye, 0}.bytes();
}
std::span<const std::byte> encode_control(const retire& m, buffer& out) {
  return packet{out, tag::retire, 2}.text(m.reason).number(m.failed ? 1 : 0).bytes();
}
std::span<const std::byte> encode_control(const connections& m, buffer& out) {
  return encode_connections(m.items, out);
}
std::span<const std::byte> encode_connections(std::span<const offered> items, buffer& out) {
  packet p{out, tag::connections, 1};
  p.array(items.size(), limits::control_fds);
  for (const auto& item : items) {
    const std::size_t fields = item.lease == 0 ? 2 : 3;
    p.array(fields, fields).number(item.id).number(item.listener);
    if (item.lease != 0) p.number(item.lease);
  }
  return p.bytes();
}
std::span<const std::byte> encode_control(const drain& m, buffer& out) {
  packet p{out, tag::drain, m.yield == 0 ? 1u : 2u};
  p.number(m.deadline_ms);
  if (m.yield != 0) p.number(m.yield);
  return p.bytes();
}
std::span<const std::byte> encode_control(const message_room& m, buffer& out) {
  packet p{out, tag::message_room, 2};
  if (m.name.empty())
    p.number(m.id);
  else
    p.text(m.name);
  return p.number(m.room ? 1 : 0).bytes();
}
std::span<const std::byte> encode_control(const datagrams& m, buffer& out) {
  packet p{out, tag::datagrams, 1};
  p.array(m.listeners.size(), limits::control_fds);
  for (const auto listener : m.listeners) p.number(listener);
  return p.bytes();
}
std::span<const std::byte> encode_control(const spawn& m, buffer& out) {
  packet p{out, tag::spawn, m.setup.empty() ? 6U : 7U};
  p.number(m.request_id).text(m.group).text(m.name);
  p.number(m.worker_id).number(m.incarnation).number(m.fds);
  if (m.setup.empty()) return p.bytes();
  p.array(m.setup.size(), limits::setup_steps);
  for (const auto& step : m.setup) {
    p.array(3, 3).number(static_cast<std::uint32_t>(step.kind)).text(step.text);
    p.array(step.numbers.size(), limits::processors);
    for (const auto number : step.numbers) p.number(number);
  }
  return p.bytes();
}
std::span<const std::byte> encode_control(const spare& m, buffer& out) {
  return packet{out, tag::spare, 1}.number(m.request_id).bytes();
}
std::span<const std::byte> encode_control(const zygote_hello& m, buffer& out) {
  return packet{out, tag::zygote_hello, 4}
      .number(m.version)
      .pid(m.pid)
      .number(m.threads)
      .text(m.error)
      .bytes();
}
std::span<const std::byte> encode_control(const spawned& m, buffer& out) {
  return packet{out, tag::spawned, 2}.number(m.request_id).pid(m.pid).bytes();
}
std::span<const std::byte> encode_control(const spawn_failed& m, buffer& out) {
  return packet{out, tag::spawn_failed, 2}.number(m.request_id).text(m.reason).bytes();
}

} // namespace coppice::wire
