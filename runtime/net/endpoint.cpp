#include <coppice/runtime/net/endpoint.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace coppice {

namespace {

constexpr std::string_view tcp_scheme = "tcp://";
constexpr std::string_view udp_scheme = "udp://";
constexpr std::string_view unix_scheme = "unix://";
constexpr std::string_view inherited_scheme = "fd://";

/// The kernel's room for a path with its zero byte, or for an abstract name with the one before it
/// (unix(7), sun_path).
constexpr std::size_t path_room = 108;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

/// Hexadecimal groups, a dotted tail, and a zone after '%': "fe80::1%eth0". The kernel has the last
/// word.
bool is_v6_character(char c) { return is_name_character(c) || c == ':' || c == '%'; }

/// What can stand in a line of a log.
bool is_printable(char c) { return c > ' ' && c != 0x7f; }

using parsed = tl::expected<endpoint, std::string>; // or what is wrong
using wrong = tl::unexpected<std::string>;

parsed parse_host_and_port(std::string_view rest) {
  endpoint where;
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == rest.npos) return wrong{"the ] after the IPv6 address is missing"};
    where.host = rest.substr(1, end - 1);
    if (where.host.find(':') == where.host.npos ||
        !std::ranges::all_of(where.host, is_v6_character))
      return wrong{"between [ and ] there must be an IPv6 address"};
    rest.remove_prefix(end + 1);
  } else {
    if (std::ranges::count(rest, ':') > 1) return wrong{"an IPv6 address goes between [ and ]"};
    const auto end = std::min(rest.find(':'), rest.size());
    where.host = rest.substr(0, end);
    if (where.host.empty()) return wrong{"the host is missing; 0.0.0.0 is every IPv4 address"};
    rest.remove_prefix(end);
    if (!std::ranges::all_of(where.host, is_name_character))
      return wrong{"the host is neither a name nor an address"};
  }

  if (!rest.starts_with(':') || rest.size() == 1)
    return wrong{"the port is missing; 0 lets the kernel choose one"};
  rest.remove_prefix(1);
  unsigned port = 0;
  const auto [stop, bad] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  if (bad != std::errc{} || stop != rest.data() + rest.size() || port > 65535)
    return wrong{"the port must be a number from 0 to 65535"};
  where.port = static_cast<std::uint16_t>(port);
  return where;
}

parsed parse_udp(std::string_view rest) {
  auto where = parse_host_and_port(rest);
  if (where) where->kind = endpoint_kind::udp;
  return where;
}

parsed parse_unix(std::string_view rest) {
  if (rest.starts_with('@')) {
    endpoint where{endpoint_kind::unix_abstract, {}, 0, std::string{rest.substr(1)}};
    if (where.name.empty()) return wrong{"the name behind @ is missing"};
    if (where.name.size() >= path_room) return wrong{"the name is longer than 107 bytes"};
    if (!std::ranges::all_of(where.name, is_printable))
      return wrong{"the name has a blank or a control character"};
    return where;
  }
  endpoint where{endpoint_kind::unix_path, {}, 0, std::string{rest}};
  if (!rest.starts_with('/'))
    return wrong{
        "the path must be absolute, as in unix:///run/app.sock; @ begins an abstract name"};
  if (rest.ends_with('/')) return wrong{"the path is a directory's"};
  if (where.name.size() >= path_room) return wrong{"the path is longer than 107 bytes"};
  if (!std::ranges::all_of(where.name, is_printable))
    return wrong{"the path has a blank or a control character"};
  return where;
}

parsed parse_inherited(std::string_view rest) {
  endpoint where{endpoint_kind::inherited, {}, 0, std::string{rest}};
  if (rest.empty()) return wrong{"the number or name of a descriptor is missing"};
  // What systemd allows in a name (sd_listen_fds(3), systemd.socket(5), FileDescriptorName=).
  if (!std::ranges::all_of(rest, [](char c) { return is_printable(c) && c != ':'; }))
    return wrong{"the name has a blank, a colon or a control character"};
  if (!std::ranges::all_of(rest, [](char c) { return c >= '0' && c <= '9'; })) return where;
  int number = 0;
  const auto [stop, bad] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (bad != std::errc{}) return wrong{"that is no number of a descriptor"};
  if (number < 3) return wrong{"0, 1 and 2 are the standard streams"};
  where.name = std::to_string(number); // "03" is 3
  return where;
}

} // namespace

result<endpoint> parse_endpoint(std::string_view text) {
  using parser = parsed (*)(std::string_view);
  constexpr std::array schemes{std::pair{tcp_scheme, static_cast<parser>(parse_host_and_port)},
                               std::pair{udp_scheme, static_cast<parser>(parse_udp)},
                               std::pair{unix_scheme, static_cast<parser>(parse_unix)},
                               std::pair{inherited_scheme, static_cast<parser>(parse_inherited)}};
  for (const auto& [scheme, parse] : schemes) {
    if (!text.starts_with(scheme)) continue;
    auto found = parse(text.substr(scheme.size()));
    if (found) return *std::move(found);
    return failure_because("parse endpoint", std::string{text}, std::move(found.error()));
  }
  const bool has_scheme = text.find("://") != text.npos;
  return failure_because("parse endpoint", std::string{text},
                         has_scheme ? "only tcp://, udp://, unix:// and fd:// are known"
                                    : "it must begin with tcp://, udp://, unix:// or fd://");
}

std::string to_string(const endpoint& where) {
  switch (where.kind) {
  case endpoint_kind::unix_path:
    return std::string{unix_scheme} + where.name;
  case endpoint_kind::unix_abstract:
    return std::string{unix_scheme} + "@" + where.name;
  case endpoint_kind::inherited:
    return std::string{inherited_scheme} + where.name;
  case endpoint_kind::tcp:
  case endpoint_kind::udp:
    break;
  }
  const auto scheme = where.kind == endpoint_kind::udp ? udp_scheme : tcp_scheme;
  const bool v6 = where.host.find(':') != where.host.npos;
  return std::string{scheme} + (v6 ? "[" + where.host + "]" : where.host) + ":" +
         std::to_string(where.port);
}

} // namespace coppice
