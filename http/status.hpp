#pragma once
// The registered status codes (RFC 9110, 15, and the IANA registry) and their reason phrases. Pure.

#include <string_view>

namespace coppice::http {

/// "Not Found"; empty for a code that is not registered.
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;

/// Whether a response with this status never has content: 204, 205, 304.
[[nodiscard]] constexpr bool without_content(int status) noexcept {
  return status == 204 || status == 205 || status == 304;
}

} // namespace coppice::http
