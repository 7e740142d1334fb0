#include <coppice/runtime/net/endpoint.hpp>

#include <algorithm>
#include <charconv>

namespace coppice {

namespace {

constexpr std::string_view tcp_scheme = "tcp://";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

/// Hexadecimal groups, a dotted tail, and a zone after '%': "fe80::1%eth0". The kernel has the last
/// word.
bool is_v6_character(char c) { return is_name_character(c) || c == ':' || c == '%'; }

} // namespace

result<endpoint> parse_endpoint(std::string_view text) {
  const auto wrong = [text](std::string reason) {
    return failure_because("parse endpoint", std::string{text}, std::move(reason));
  };
  if (!text.starts_with(tcp_scheme)) {
    if (text.find("://") == text.npos) return wrong("it must begin with tcp://");
    return wrong("only tcp:// is known");
  }
  std::string_view rest = text.substr(tcp_scheme.size());

  endpoint where;
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == rest.npos) return wrong("the ] after the IPv6 address is missing");
    where.host = rest.substr(1, end - 1);
    if (where.host.find(':') == where.host.npos ||
        !std::ranges::all_of(where.host, is_v6_character))
      return wrong("between [ and ] there must be an IPv6 address");
    rest.remove_prefix(end + 1);
  } else {
    if (std::ranges::count(rest, ':') > 1) return wrong("an IPv6 address goes between [ and ]");
    const auto end = std::min(rest.find(':'), rest.size());
    where.host = rest.substr(0, end);
    if (where.host.empty()) return wrong("the host is missing; 0.0.0.0 is every IPv4 address");
    rest.remove_prefix(end);
    if (!std::ranges::all_of(where.host, is_name_character))
      return wrong("the host is neither a name nor an address");
  }

  if (!rest.starts_with(':') || rest.size() == 1)
    return wrong("the port is missing; 0 lets the kernel choose one");
  rest.remove_prefix(1);
  unsigned port = 0;
  const auto [stop, bad] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  if (bad != std::errc{} || stop != rest.data() + rest.size() || port > 65535)
    return wrong("the port must be a number from 0 to 65535");
  where.port = static_cast<std::uint16_t>(port);
  return where;
}

std::string to_string(const endpoint& where) {
  std::string text{tcp_scheme};
  const bool v6 = where.host.find(':') != where.host.npos;
  text += v6 ? "[" + where.host + "]" : where.host;
  return text + ":" + std::to_string(where.port);
}

} // namespace coppice
