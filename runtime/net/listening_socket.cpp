#include <coppice/runtime/net/listening_socket.hpp>

#include <cerrno>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>

namespace coppice {

namespace {

struct free_addresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using addresses = std::unique_ptr<addrinfo, free_addresses>;

result<addresses> look_up(const endpoint& where) {
  addrinfo hints{};
  hints.ai_socktype = where.kind == endpoint_kind::udp ? SOCK_DGRAM : SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int code =
      ::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &list);
  if (code == EAI_SYSTEM) return system_failure("look up", to_string(where));
  if (code != 0) return failure_because("look up", to_string(where), ::gai_strerror(code));
  return addresses{list};
}

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

int number_of(std::chrono::seconds time) { return static_cast<int>(time.count()); }

/// Those that accepted sockets inherit, and those of the queue.
bool set_options(int fd, bool v6, const listen_options& options) {
  const auto on = [fd](int level, int name, int value = 1) {
    return set_option(fd, level, name, value);
  };
  const int alive = number_of(options.keepalive);
  return (!options.reuse_addr || on(SOL_SOCKET, SO_REUSEADDR)) &&
         (!v6 || on(IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only ? 1 : 0)) &&
         (!options.tcp_nodelay || on(IPPROTO_TCP, TCP_NODELAY)) &&
         (alive == 0 || (on(SOL_SOCKET, SO_KEEPALIVE) && on(IPPROTO_TCP, TCP_KEEPIDLE, alive) &&
                         on(IPPROTO_TCP, TCP_KEEPINTVL, alive))) &&
         (options.defer_accept.count() == 0 ||
          on(IPPROTO_TCP, TCP_DEFER_ACCEPT, number_of(options.defer_accept))) &&
         (options.fast_open == 0 || on(IPPROTO_TCP, TCP_FASTOPEN, options.fast_open));
}

} // namespace

// Accepted sockets inherit it. Out of line, an urgent byte (RFC 6093) is one that recv steps over,
// while the kernel counts it among those taken: whoever goes on with the connection of a dead
// worker would look for it in the journal, and find what an earlier connection has left there.
bool keep_urgent_in_line(int fd) noexcept { return set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1); }

result<os::unique_fd> listen_on(const endpoint& where, const listen_options& options) {
  const auto found = look_up(where);
  if (!found) return tl::unexpected{found.error()};
  const addrinfo& address = **found;

  os::unique_fd fd{::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd) return system_failure("open socket for", to_string(where));
  const bool v6 = address.ai_family == AF_INET6;
  if (!keep_urgent_in_line(fd.get()) || !set_options(fd.get(), v6, options))
    return system_failure("set options of", to_string(where));
  if (::bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0)
    return system_failure("bind", to_string(where));
  // Another socket with SO_REUSEADDR may hold the same address, bound and not yet listening: then
  // it is listen(2) that says "Address already in use".
  if (::listen(fd.get(), options.backlog) != 0)
    return system_failure("listen on", to_string(where));
  return fd;
}

// Without SO_REUSEADDR: with it, two services would have the same port, and one of them the
// datagrams (socket(7)).
result<os::unique_fd> bind_datagrams(const endpoint& where, const listen_options& options) {
  const auto found = look_up(where);
  if (!found) return tl::unexpected{found.error()};
  const addrinfo& address = **found;
  os::unique_fd fd{::socket(address.ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd) return system_failure("open socket for", to_string(where));
  if (address.ai_family == AF_INET6 &&
      !set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only ? 1 : 0))
    return system_failure("set options of", to_string(where));
  if (::bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0)
    return system_failure("bind", to_string(where));
  return fd;
}

accept_kind classify_accept_error(int code) noexcept {
  switch (code) {
  case EAGAIN:
#if EAGAIN != EWOULDBLOCK
  case EWOULDBLOCK:
#endif
    return accept_kind::would_block;
  case EMFILE:
  case ENFILE:
  case ENOBUFS:
  case ENOMEM:
    return accept_kind::exhausted;
  // accept(2): "already-pending network errors on the new socket"; and EPERM is a firewall's
  // refusal of this one.
  case EINTR:
  case ECONNABORTED:
  case EPERM:
  case EPROTO:
  case ENETDOWN:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case EOPNOTSUPP:
  case ENETUNREACH:
  case ETIMEDOUT:
    return accept_kind::try_again;
  default:
    return accept_kind::failed;
  }
}

accept_result accept_one(int fd) noexcept {
  const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted >= 0) return {accept_kind::connection, os::unique_fd{accepted}, {}};
  const int code = errno;
  return {classify_accept_error(code), {}, std::error_code{code, std::system_category()}};
}

} // namespace coppice
