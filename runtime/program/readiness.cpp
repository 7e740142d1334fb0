#include <coppice/runtime/program/readiness.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <sys/un.h>

namespace coppice {
namespace {

constexpr std::string_view http_scheme = "http://";
constexpr std::string_view unix_scheme = "unix:";

bool is_address(const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

} // namespace

result<probe_target> parse_target(const ready_when& when) {
  const auto wrong = [&](std::string why) {
    return failure_because("parse", when.where, std::move(why));
  };
  probe_target target;
  std::string_view text = when.where;
  if (when.how == ready_when::kind::connects && text.starts_with(unix_scheme)) {
    target.path = text.substr(unix_scheme.size());
    if (!target.path.starts_with('/')) return wrong("the path of a unix socket must be absolute");
    if (target.path.size() >= sizeof(sockaddr_un::sun_path)) return wrong("the path is too long");
    return target;
  }
  std::string address{text};
  if (when.how == ready_when::kind::answers) {
    if (!text.starts_with(http_scheme)) return wrong("it must begin with http://");
    text.remove_prefix(http_scheme.size());
    const auto slash = std::min(text.find('/'), text.size());
    target.authority = text.substr(0, slash);
    target.request_target = slash == text.size() ? "/" : text.substr(slash);
    if (std::any_of(target.request_target.begin(), target.request_target.end(),
                    [](char c) { return c <= ' ' || c == 0x7f; }))
      return wrong("the path has a blank or a control character");
    address = "tcp://" + target.authority;
  } else if (!text.starts_with("tcp://")) {
    return wrong("it must begin with tcp:// or unix:");
  }
  const auto parsed = parse_endpoint(address);
  if (!parsed) return wrong(parsed.error().reason);
  if (parsed->port == 0) return wrong("the port must be a real one");
  target.host = parsed->host == "localhost" ? "127.0.0.1" : parsed->host;
  target.port = parsed->port;
  if (!is_address(target.host)) return wrong("the host must be an address or localhost");
  return target;
}

std::string request_for(const probe_target& target) {
  return "GET " + target.request_target + " HTTP/1.1\r\nHost: " + target.authority +
         "\r\nUser-Agent: coppice\r\nConnection: close\r\n\r\n";
}

// status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112, 4)
std::optional<bool> answer_is_good(std::string_view bytes) {
  constexpr std::string_view begin = "HTTP/1.";
  constexpr std::size_t status = 9; // behind "HTTP/1.1 "
  if (!begin.starts_with(bytes.substr(0, begin.size()))) return false;
  if (bytes.size() < status + 3) return std::nullopt;
  const auto is_digit = [&](std::size_t at) { return bytes[at] >= '0' && bytes[at] <= '9'; };
  return bytes[status - 1] == ' ' && (bytes[status] == '2' || bytes[status] == '3') &&
         is_digit(status + 1) && is_digit(status + 2);
}

bool says_ready(std::string_view datagram) {
  while (!datagram.empty()) {
    const auto end = std::min(datagram.find('\n'), datagram.size());
    if (datagram.substr(0, end) == "READY=1") return true;
    datagram.remove_prefix(std::min(end + 1, datagram.size()));
  }
  return false;
}

} // namespace coppice
