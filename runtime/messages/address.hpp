#pragma once
// Where a message goes, or comes from. A value.
//
//   7               the worker with this id: a slot, whichever process fills it
//   "web/2"         slot 2 of web
//   "web"           one of web's workers, in turn
//   "web/*"         all of web's workers
//   "janitor"       the agent
//   "*"             everyone but the sender
//   "topic:prices"  those who are subscribed to it
//   0, "primary"    the primary: the spec's on_message

#include <coppice/runtime/wire/envelope.hpp>

#include <compare>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace coppice {

class address {
public:
  /// The primary.
  address() = default;
  template <std::integral Number>
  address(Number id)
      : id_{static_cast<std::uint64_t>(id)} {}          // NOLINT: send(7, ...) is to be read so
  address(std::string name) : name_{std::move(name)} {} // NOLINT
  address(std::string_view name) : name_{name} {}       // NOLINT
  address(const char* name) : name_{name} {}            // NOLINT
  explicit address(const wire::address& from) : id_{from.id}, name_{from.name} {}

  /// The number; 0 too if it is a name.
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  /// Empty if it is a number.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] wire::address view() const noexcept { return {.id = id_, .name = name_}; }
  /// "7" or "web/2": for logs.
  [[nodiscard]] std::string text() const { return name_.empty() ? std::to_string(id_) : name_; }

  auto operator<=>(const address&) const = default;
  bool operator==(const address&) const = default;

private:
  std::uint64_t id_ = 0;
  std::string name_;
};

} // namespace coppice
