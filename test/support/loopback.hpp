#pragma once
// Real TCP connections over loopback, and a client's side of them with deadlines: a test that would
// hang fails instead.

#include "support/catch.hpp"

#include <coppice/runtime/net/listening_socket.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace coppice::test {

inline constexpr auto patience = std::chrono::seconds{10};

/// Waits for `events` on `fd`; false after `patience`.
inline bool await(int fd, short events) {
  pollfd one{fd, events, 0};
  return ::poll(&one, 1, static_cast<int>(std::chrono::milliseconds{patience}.count())) == 1;
}

struct socket_sizes {
  int server_send = 0;    ///< SO_SNDBUF; 0: the kernel's
  int client_receive = 0; ///< SO_RCVBUF; 0: the kernel's
  int server_receive = 0; ///< SO_RCVBUF, and the client's SO_SNDBUF; 0: the kernel's
};

struct tcp_pair {
  os::unique_fd client; ///< blocking
  os::unique_fd server; ///< as accept_one gives it
};

inline os::unique_fd connect_to(const endpoint& where, int receive_buffer = 0) {
  os::unique_fd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  REQUIRE(client);
  if (receive_buffer > 0)
    ::setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(where.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Small writes go out at once: with Nagle's algorithm the second of two would wait for the
  // acknowledgement of the first, which the server's side delays by 40 ms (tcp(7)).
  const int yes = 1;
  ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return client;
}

inline tcp_pair make_tcp_pair(socket_sizes sizes = {}) {
  auto listening = listen_on({.host = "127.0.0.1", .port = 0});
  REQUIRE(listening);
  tcp_pair pair;
  pair.client = connect_to(*local_endpoint(listening->get()), sizes.client_receive);
  REQUIRE(await(listening->get(), POLLIN));
  auto accepted = accept_one(listening->get());
  REQUIRE(accepted.kind == accept_kind::connection);
  pair.server = std::move(accepted.socket);
  const auto set = [](const os::unique_fd& socket, int name, int size) {
    if (size > 0) ::setsockopt(socket.get(), SOL_SOCKET, name, &size, sizeof size);
  };
  set(pair.server, SO_SNDBUF, sizes.server_send);
  set(pair.server, SO_RCVBUF, sizes.server_receive);
  set(pair.client, SO_SNDBUF, sizes.server_receive);
  return pair;
}

inline void send_all(const os::unique_fd& client, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    REQUIRE(n > 0);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// One look without waiting: appends what is there. True at the end of file; a reset throws.
inline bool receive_some(const os::unique_fd& client, std::string& into) {
  char buffer[64 * 1024];
  const auto n = ::recv(client.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (n > 0) into.append(buffer, static_cast<std::size_t>(n));
  if (n < 0 && errno != EAGAIN) throw std::system_error{errno, std::system_category(), "recv"};
  return n == 0;
}

/// For a server in another process: reads until `size` bytes are there.
inline std::string receive_exactly(const os::unique_fd& client, std::size_t size) {
  std::string all;
  while (all.size() < size) {
    REQUIRE(await(client.get(), POLLIN));
    if (receive_some(client, all)) break;
  }
  return all;
}

/// For a server in another process: reads to the end of file.
inline std::string receive_to_end(const os::unique_fd& client) {
  std::string all;
  do REQUIRE(await(client.get(), POLLIN));
  while (!receive_some(client, all));
  return all;
}

} // namespace coppice::test
