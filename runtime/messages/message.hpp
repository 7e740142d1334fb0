#pragma once
// A message as its receiver sees it: <type, from, to, msg>. What a handler is called with is valid
// during that call; a copy of it has its own bytes and is valid for as long as it lives.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/messages/address.hpp>
#include <coppice/runtime/wire/envelope.hpp>
#include <coppice/runtime/wire/meta.hpp>

#include <cstddef>
#include <memory>
#include <msgpack.hpp>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

namespace coppice {

class message {
public:
  /// Reads one frame's body, which must outlive it. Errors as parse_envelope and parse_meta.
  [[nodiscard]] static result<message> parse(std::span<const std::byte> body);

  message(const message& other);
  message(message&&) noexcept = default;
  message& operator=(message other) noexcept;
  ~message() = default;

  [[nodiscard]] std::string_view type() const noexcept { return head_.type; }
  /// Stamped by the primary: a worker's id, or 0 for the primary.
  [[nodiscard]] std::uint64_t from() const noexcept { return head_.from.id; }
  /// As the sender wrote it.
  [[nodiscard]] address to() const { return address{head_.to}; }
  /// Whether the sender waits for a reply.
  [[nodiscard]] bool is_ask() const noexcept { return meta_.ask != 0; }

  /// The msgpack bytes of the value.
  [[nodiscard]] std::span<const std::byte> payload() const noexcept { return head_.msg; }

  /// The value, as a T that msgpack can unpack. Throws std::invalid_argument, which says what came
  /// instead, if it is none.
  template <class T>
  [[nodiscard]] T as() const {
    const auto unpacked = unpack();
    try {
      return unpacked.get().template as<T>();
    } catch (const msgpack::type_error&) {
      throw_mismatch(unpacked.get(), typeid(T));
    }
  }

  [[nodiscard]] const wire::envelope_meta& meta() const noexcept { return meta_; }

private:
  message(std::span<const std::byte> body, wire::envelope_view head, wire::envelope_meta meta)
      : body_{body},
        head_{head},
        meta_{meta} {}

  [[nodiscard]] msgpack::object_handle unpack() const;
  [[noreturn]] void throw_mismatch(const msgpack::object& value,
                                   const std::type_info& wanted) const;

  std::span<const std::byte> body_;
  wire::envelope_view head_;
  wire::envelope_meta meta_;
  std::shared_ptr<const std::vector<std::byte>> own_; ///< of a copy; null: the bytes are borrowed
};

} // namespace coppice
