#pragma once
// Percent-decoding (RFC 3986, 2.1) and the parameters of a query
// (application/x-www-form-urlencoded, as the WHATWG URL standard has it). Pure; thread-safe.

#include <optional>
#include <string>
#include <string_view>

namespace coppice::http {

/// Every percent sign is followed by two hexadecimal digits.
[[nodiscard]] bool well_escaped(std::string_view text) noexcept;

/// Undoes percent-encoding. A percent sign without two hexadecimal digits behind it stays as it is.
[[nodiscard]] std::string percent_decode(std::string_view text);
/// The same for forms and queries, where '+' stands for a blank.
[[nodiscard]] std::string form_decode(std::string_view text);

/// The decoded value of the first parameter called `name` in "a=1&b=2"; a parameter without '=' is
/// empty; nullopt: there is none.
[[nodiscard]] std::optional<std::string> form_value(std::string_view form, std::string_view name);

} // namespace coppice::http
