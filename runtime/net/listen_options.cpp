#include <coppice/runtime/net/listen_options.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

namespace coppice {

namespace {

// Each takes a value; empty: it is taken, else what is wrong.

std::string take(std::string_view value, bool& into) {
  if (value != "true" && value != "false") return "must be true or false";
  into = value == "true";
  return {};
}

template <class Number>
std::string take(std::string_view value, Number& into, Number least, Number most, int base = 10) {
  Number read{};
  const auto [stop, bad] = std::from_chars(value.data(), value.data() + value.size(), read, base);
  if (bad == std::errc{} && stop == value.data() + value.size() && read >= least && read <= most) {
    into = read;
    return {};
  }
  return "must be a number from " + std::to_string(least) + " to " + std::to_string(most);
}

std::string take(std::string_view value, std::chrono::seconds& into, int most) {
  int number = 0;
  auto why = take(value, number, 0, most);
  if (why.empty())
    into = std::chrono::seconds{number};
  else
    why += ", of seconds";
  return why;
}

std::string take_mode(std::string_view value, unsigned& into) {
  return take(value, into, 0u, 0777u, 8).empty() ? "" : "must be octal, from 0 to 0777";
}

std::string take_account(std::string_view value, std::string& into) {
  if (value.empty()) return "must be a name or a number";
  into = value;
  return {};
}

enum : unsigned { for_tcp = 1, for_unix_path = 2, for_unix_abstract = 4, for_udp = 8 };
constexpr unsigned for_unix = for_unix_path | for_unix_abstract;

unsigned bit_of(endpoint_kind kind) noexcept {
  switch (kind) {
  case endpoint_kind::tcp:
    return for_tcp;
  case endpoint_kind::udp:
    return for_udp;
  case endpoint_kind::unix_path:
    return for_unix_path;
  case endpoint_kind::unix_abstract:
    return for_unix_abstract;
  case endpoint_kind::inherited:
    break;
  }
  return 0;
}

struct known_option {
  std::string_view name;
  unsigned kinds;
  std::string (*take)(std::string_view value, listen_options& into);
};

using text = std::string_view;
using options = listen_options;
constexpr std::array known_options{
    known_option{"backlog", for_tcp | for_unix,
                 [](text v, options& o) { return take(v, o.backlog, 1, 1'000'000); }},
    known_option{"reuse_addr", for_tcp, [](text v, options& o) { return take(v, o.reuse_addr); }},
    known_option{"v6_only", for_tcp | for_udp,
                 [](text v, options& o) { return take(v, o.v6_only); }},
    known_option{"tcp_nodelay", for_tcp, [](text v, options& o) { return take(v, o.tcp_nodelay); }},
    known_option{"keepalive", for_tcp,
                 [](text v, options& o) { return take(v, o.keepalive, 32767); }},
    known_option{"defer_accept", for_tcp,
                 [](text v, options& o) { return take(v, o.defer_accept, 3600); }},
    known_option{"fast_open", for_tcp,
                 [](text v, options& o) { return take(v, o.fast_open, 0, 65535); }},
    known_option{"mode", for_unix_path, [](text v, options& o) { return take_mode(v, o.mode); }},
    known_option{"owner", for_unix_path,
                 [](text v, options& o) { return take_account(v, o.owner); }},
    known_option{"group", for_unix_path,
                 [](text v, options& o) { return take_account(v, o.group); }}};

std::string names_for(unsigned kind) {
  std::string all;
  for (const auto& each : known_options)
    if ((each.kinds & kind) != 0) all += (all.empty() ? "" : ", ") + std::string{each.name};
  return all;
}

/// What is wrong with one "name=value"; empty: it is taken.
std::string take_option(std::string_view option, const endpoint& where, listen_options& into) {
  const auto end = std::min(option.find('='), option.size());
  const auto name = option.substr(0, end);
  const std::string quoted = "'" + std::string{name} + "'";
  const unsigned kind = bit_of(where.kind);
  if (kind == 0) return quoted + ": whoever opened an inherited socket has chosen its options";
  const auto known = std::find_if(known_options.begin(), known_options.end(),
                                  [&](const known_option& each) { return each.name == name; });
  if (known == known_options.end())
    return "there is no option " + quoted + "; here there are " + names_for(kind);
  if ((known->kinds & kind) == 0)
    return quoted + " is not for such an endpoint; here there are " + names_for(kind);
  if (name == "v6_only" && where.host.find(':') == where.host.npos)
    return quoted + " is for IPv6 addresses";
  const auto value = end < option.size() ? option.substr(end + 1) : std::string_view{};
  auto why = known->take(value, into);
  return why.empty() ? why : std::string{name} + " = '" + std::string{value} + "': " + why;
}

} // namespace

result<listen_spec> parse_listen(std::string_view text) {
  const auto wrong = [text](std::string reason) {
    return failure_because("parse endpoint", std::string{text}, std::move(reason));
  };
  const auto end = std::min(text.find('?'), text.size());
  auto where = parse_endpoint(text.substr(0, end));
  if (!where) return wrong(std::move(where.error().reason));
  listen_spec spec{*std::move(where), {}};
  if (end == text.size()) return spec;
  std::set<std::string_view> seen;
  for (auto rest = text.substr(end + 1);;) {
    const auto until = std::min(rest.find('&'), rest.size());
    const auto option = rest.substr(0, until);
    if (!seen.insert(option.substr(0, option.find('='))).second)
      return wrong("'" + std::string{option.substr(0, option.find('='))} + "' is there twice");
    if (auto why = take_option(option, spec.where, spec.options); !why.empty())
      return wrong(std::move(why));
    if (until == rest.size()) return spec;
    rest.remove_prefix(until + 1);
  }
}

std::string_view why_unprotected(const listen_spec& spec) noexcept {
  switch (spec.where.kind) {
  case endpoint_kind::unix_path:
  case endpoint_kind::unix_abstract:
    return "the kernel does not count the bytes of unix sockets";
  case endpoint_kind::tcp:
    if (spec.options.fast_open > 0)
      return "what the kernel counts proves nothing about connections with fast_open";
    break;
  case endpoint_kind::udp: // it has no connections
  case endpoint_kind::inherited:
    break;
  }
  return {};
}

} // namespace coppice
