#include <coppice/runtime/worker/socket_flags.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace coppice {

namespace {

template <class T>
void set(int fd, int level, int name, const T& value) noexcept {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

} // namespace

void refresh_socket_flags(int fd) noexcept {
  set_nonblocking(fd);
  set(fd, IPPROTO_TCP, TCP_CORK, 0);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_SOCKET, SO_LINGER, linger{0, 0});
  set(fd, SOL_SOCKET, SO_RCVTIMEO, timeval{0, 0});
  set(fd, SOL_SOCKET, SO_SNDTIMEO, timeval{0, 0});
  set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
}

void set_nonblocking(int fd) noexcept {
  if (const int flags = ::fcntl(fd, F_GETFL); flags >= 0 && (flags & O_NONBLOCK) == 0)
    ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

std::error_code socket_error(int fd) noexcept {
  int code = 0;
  socklen_t size = sizeof code;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 && code != 0)
    return {code, std::system_category()};
  return std::make_error_code(std::errc::connection_reset);
}

void abort_connection(int fd) noexcept {
  // SO_LINGER 0 resets on the last close(2), and the primary may still hold a duplicate; dissolving
  // the association (connect(2), AF_UNSPEC) resets at once.
  set(fd, SOL_SOCKET, SO_LINGER, linger{1, 0});
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  // Unix sockets know no such thing: their peer sees the end.
  if (::connect(fd, &nobody, sizeof nobody) != 0) ::shutdown(fd, SHUT_RDWR);
}

} // namespace coppice
