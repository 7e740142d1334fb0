#pragma once
// The character classes of HTTP (RFC 9110, 5.6; RFC 9112), without locales. Pure; thread-safe.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace coppice::http::ascii {

[[nodiscard]] constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
[[nodiscard]] constexpr bool digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool letter(char c) noexcept { return lower(c) >= 'a' && lower(c) <= 'z'; }

/// `lowercase` is compared with `text` in any case.
[[nodiscard]] constexpr bool equal(std::string_view text, std::string_view lowercase) noexcept {
  return text.size() == lowercase.size() &&
         std::equal(text.begin(), text.end(), lowercase.begin(),
                    [](char a, char b) { return lower(a) == b; });
}

namespace detail {
enum : std::uint8_t { token_bit = 1, target_bit = 2, host_bit = 4, value_bit = 8 };
inline constexpr auto classes = [] {
  std::array<std::uint8_t, 256> table{};
  const auto add = [&](std::string_view members, unsigned bit) {
    for (const char c : members) {
      auto& entry = table[static_cast<unsigned char>(c)];
      entry = static_cast<std::uint8_t>(entry | bit);
    }
  };
  for (unsigned c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    if (digit(byte) || (c < 128 && letter(byte))) add({&byte, 1}, token_bit | host_bit);
    if (c > 0x20 && c < 0x7f && byte != '#') add({&byte, 1}, target_bit);
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) add({&byte, 1}, value_bit);
  }
  add("!#$%&'*+-.^_`|~", token_bit);
  add("-._~!$&'()*+,;=:%[]", host_bit);
  return table;
}();
[[nodiscard]] constexpr bool all(std::string_view text, unsigned bit) noexcept {
  for (const char c : text)
    if (!(classes[static_cast<unsigned char>(c)] & bit)) return false;
  return true;
}
} // namespace detail

/// Names of fields and methods: at least one character, none of them a delimiter or a blank.
[[nodiscard]] constexpr bool token(std::string_view text) noexcept {
  return !text.empty() && detail::all(text, detail::token_bit);
}
/// What a request target may hold: visible ASCII. A fragment never goes over the wire.
[[nodiscard]] constexpr bool target(std::string_view text) noexcept {
  return !text.empty() && detail::all(text, detail::target_bit);
}
/// What a host and port may hold (RFC 3986, 3.2.2).
[[nodiscard]] constexpr bool host(std::string_view text) noexcept {
  return detail::all(text, detail::host_bit);
}
/// What a field's value may hold: anything but control characters; a tab may be in it.
[[nodiscard]] constexpr bool field_value(std::string_view text) noexcept {
  return detail::all(text, detail::value_bit);
}

/// Without blanks and tabs at both ends.
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

} // namespace coppice::http::ascii
