#include <coppice/runtime/messages/message.hpp>

#include <coppice/runtime/limits.hpp>

#include <cstdlib>
#include <cxxabi.h>
#include <fmt/core.h>
#include <stdexcept>
#include <utility>

namespace coppice {

namespace {

std::string text_of(const msgpack::object& value) {
  switch (value.type) {
  case msgpack::type::NIL:
    return "nil";
  case msgpack::type::BOOLEAN:
    return "a boolean";
  case msgpack::type::POSITIVE_INTEGER:
  case msgpack::type::NEGATIVE_INTEGER:
    return "a whole number";
  case msgpack::type::FLOAT32:
  case msgpack::type::FLOAT64:
    return "a floating-point number";
  case msgpack::type::STR:
    return fmt::format("a string of {} bytes", value.via.str.size);
  case msgpack::type::BIN:
    return fmt::format("{} bytes", value.via.bin.size);
  case msgpack::type::ARRAY:
    return fmt::format("an array of {}", value.via.array.size);
  case msgpack::type::MAP:
    return fmt::format("a map of {}", value.via.map.size);
  default:
    return "an extension type";
  }
}

std::string name_of(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name{
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free};
  return status == 0 ? name.get() : type.name();
}

} // namespace

result<message> message::parse(std::span<const std::byte> body) {
  const auto head = wire::parse_envelope(body);
  if (!head) return tl::unexpected{head.error()};
  const auto meta = wire::parse_meta(head->meta);
  if (!meta) return tl::unexpected{meta.error()};
  return message{body, *head, *meta};
}

message::message(const message& other)
    : body_{other.body_},
      head_{other.head_},
      meta_{other.meta_},
      own_{other.own_} {
  if (own_) return;
  own_ = std::make_shared<const std::vector<std::byte>>(body_.begin(), body_.end());
  auto again = parse(*own_); // it was well-formed before
  body_ = again->body_;
  head_ = again->head_;
  meta_ = again->meta_;
}

message& message::operator=(message other) noexcept {
  std::swap(body_, other.body_);
  std::swap(head_, other.head_);
  std::swap(meta_, other.meta_);
  std::swap(own_, other.own_);
  return *this;
}

msgpack::object_handle message::unpack() const {
  // The value is well-formed, its headers claim no more than is there (wire/cursor.hpp).
  return msgpack::unpack(reinterpret_cast<const char*>(head_.msg.data()), head_.msg.size());
}

void message::throw_mismatch(const msgpack::object& value, const std::type_info& wanted) const {
  throw std::invalid_argument{fmt::format("message '{}' from {}: it holds {}, which is no {}",
                                          head_.type, head_.from.id, text_of(value),
                                          name_of(wanted))};
}

} // namespace coppice
