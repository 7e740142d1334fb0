#include <coppice/runtime/net/head_value.hpp>

#include <algorithm>

namespace coppice {
namespace {

constexpr bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_token(char c) noexcept {
  return is_alphanumeric(c) ||
         std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}
constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool same_name(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto from = text.find_first_not_of(" \t");
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

/// "a=1; b=2" (RFC 6265, 4.2.1).
std::string_view cookie_of(std::string_view pairs, std::string_view name) noexcept {
  while (!pairs.empty()) {
    const auto end = std::min(pairs.find(';'), pairs.size());
    const auto pair = trimmed(pairs.substr(0, end));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return trimmed(pair.substr(name.size() + 1));
    pairs.remove_prefix(std::min(end + 1, pairs.size()));
  }
  return {};
}

std::string_view value_of(std::string_view line, const head_key& key) noexcept {
  const auto colon = line.find(':');
  if (colon == line.npos) return {};
  const bool cookie = key.what == head_key::kind::cookie;
  if (!same_name(line.substr(0, colon), cookie ? "Cookie" : std::string_view{key.name})) return {};
  const auto value = trimmed(line.substr(colon + 1));
  return cookie ? cookie_of(value, key.name) : value;
}

} // namespace

head_value find_in_head(std::string_view bytes, const head_key& key) noexcept {
  using enum head_value::state;
  // Some clients send an empty line after the body before (RFC 9112, 2.2).
  while (bytes.starts_with("\r\n") || bytes.starts_with('\n'))
    bytes.remove_prefix(bytes.front() == '\n' ? 1 : 2);
  if (!bytes.empty() && bytes != "\r" && !is_token(bytes.front())) return {absent};
  for (bool request_line = true;; request_line = false) {
    const auto end = bytes.find('\n');
    if (end == bytes.npos) return {incomplete};
    auto line = bytes.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) return {absent};
    if (!request_line)
      if (const auto value = value_of(line, key); !value.empty()) return {found, value};
    bytes.remove_prefix(end + 1);
  }
}

bool is_head_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token);
}

} // namespace coppice
