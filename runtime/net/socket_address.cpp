#include <coppice/runtime/net/socket_address.hpp>

#include <arpa/inet.h>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

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
  return endpoint_of(address);
}

} // namespace

result<endpoint> endpoint_of(const sockaddr_storage& address) {
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
  return failure_because("show address", {}, "neither IPv4 nor IPv6");
}

result<endpoint> local_endpoint(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return system_failure("getsockname", {});
  return endpoint_of(address);
}

result<std::string> peer_address(int fd) {
  auto where = peer_endpoint(fd);
  if (!where) return tl::unexpected{where.error()};
  const bool v6 = where->host.find(':') != std::string::npos;
  return (v6 ? "[" + where->host + "]" : where->host) + ":" + std::to_string(where->port);
}

result<std::string> peer_host(int fd) {
  auto where = peer_endpoint(fd);
  if (!where) return tl::unexpected{where.error()};
  return std::move(where->host);
}

} // namespace coppice
