#include <coppice/runtime/net/socket_address.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <cstddef>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace coppice {

namespace {

std::string v6_text(const sockaddr_in6& v6) {
  char text[INET6_ADDRSTRLEN] = {};
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
    return text;
  }
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  char zone[IF_NAMESIZE] = {};
  if (v6.sin6_scope_id != 0 && ::if_indextoname(v6.sin6_scope_id, zone) != nullptr)
    return std::string{text} + "%" + zone;
  return text;
}

result<endpoint> peer_endpoint(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return system_failure("getpeername", {});
  return endpoint_of(address, size);
}

/// unix(7), "Pathname, unnamed and abstract": which it is, its size and its first byte tell.
endpoint unix_endpoint(const sockaddr_storage& address, socklen_t size) {
  sockaddr_un local{};
  std::memcpy(&local, &address, std::min<std::size_t>(size, sizeof local));
  const std::size_t head = offsetof(sockaddr_un, sun_path);
  const std::size_t length =
      std::min<std::size_t>(size, sizeof local) - std::min<std::size_t>(size, head);
  endpoint where{endpoint_kind::unix_path, {}, 0, {}};
  if (length == 0) return where;
  if (local.sun_path[0] == '\0') {
    where.kind = endpoint_kind::unix_abstract;
    where.name.assign(local.sun_path + 1, length - 1);
  } else {
    where.name.assign(local.sun_path, ::strnlen(local.sun_path, length));
  }
  return where;
}

} // namespace

result<endpoint> endpoint_of(const sockaddr_storage& address, socklen_t size) {
  endpoint where;
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    char text[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    where.host = text;
    where.port = ntohs(v4.sin_port);
    return where;
  }
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    where.host = v6_text(v6);
    where.port = ntohs(v6.sin6_port);
    return where;
  }
  if (address.ss_family == AF_UNIX) return unix_endpoint(address, size);
  return failure_because("show address", {}, "neither IPv4, nor IPv6, nor unix");
}

result<endpoint> local_endpoint(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return system_failure("getsockname", {});
  return endpoint_of(address, size);
}

result<std::string> peer_address(int fd) {
  auto where = peer_endpoint(fd);
  if (!where) return tl::unexpected{where.error()};
  if (where->kind == endpoint_kind::unix_path) return "unix:" + where->name;
  if (where->kind == endpoint_kind::unix_abstract) return "unix:@" + where->name;
  const bool v6 = where->host.find(':') != std::string::npos;
  return (v6 ? "[" + where->host + "]" : where->host) + ":" + std::to_string(where->port);
}

result<std::string> peer_host(int fd) {
  auto where = peer_endpoint(fd);
  if (!where) return tl::unexpected{where.error()};
  if (where->kind != endpoint_kind::tcp)
    return failure_because("show address", {}, "a unix socket's client has none");
  return std::move(where->host);
}

} // namespace coppice
