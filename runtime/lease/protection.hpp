#pragma once
// How much of a connection outlives its worker. Chosen for each listener.

#include <cstdint>
#include <optional>
#include <string_view>

namespace coppice {

enum class protection : std::uint8_t {
  /// Connections that the worker has not taken yet go to another one; those it has taken end with
  /// it.
  none,
  /// Also those that are idle, whose request has not been read whole, or whose answer is made. A
  /// request that its handler was at is answered with an error.
  connection,
  /// Also the request that a handler was at: it is run again in another worker if it may be.
  request,
};

[[nodiscard]] constexpr std::string_view to_string(protection level) noexcept {
  switch (level) {
  case protection::none:
    return "none";
  case protection::connection:
    return "connection";
  case protection::request:
    return "request";
  }
  return "?";
}

/// "none", "connection", "request"; nothing for any other text.
[[nodiscard]] constexpr std::optional<protection> parse_protection(std::string_view text) noexcept {
  for (const auto level : {protection::none, protection::connection, protection::request})
    if (text == to_string(level)) return level;
  return std::nullopt;
}

} // namespace coppice
