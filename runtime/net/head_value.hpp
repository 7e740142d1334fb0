#pragma once
// One cookie or header field in the first bytes of an HTTP/1 request, as far as they have come.
// Pure. It looks for one value, and is no parser: whether the request is well-formed is for the
// worker to say.

#include <string>
#include <string_view>

namespace coppice {

struct head_key {
  enum class kind { cookie, field };
  kind what = kind::cookie;
  std::string name{}; ///< a field's is compared without case (RFC 9110, 5.1), a cookie's with it
};

struct head_value {
  enum class state {
    incomplete, ///< more bytes may tell
    absent,     ///< the head is over without it, or this is no HTTP request
    found,
  };
  state what = state::incomplete;
  std::string_view value{}; ///< not empty if found; within the bytes
};

/// What is said of the first bytes is also true of them with more behind, unless it is incomplete.
[[nodiscard]] head_value find_in_head(std::string_view bytes, const head_key& key) noexcept;

/// Whether a field or cookie can be called this: a token (RFC 9110, 5.6.2; RFC 6265, 4.1.1).
[[nodiscard]] bool is_head_name(std::string_view name) noexcept;

} // namespace coppice
