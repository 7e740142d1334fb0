#include "processes.hpp"

#include <coppice/runtime/os/tcp_counters.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>

namespace coppice::os {
namespace {

struct loopback {
  unique_fd client;
  unique_fd server;

  loopback() {
    const unique_fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener.get(), generic, size) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    REQUIRE(::getsockname(listener.get(), generic, &size) == 0);
    client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(client.get(), generic, size) == 0);
    server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    REQUIRE(server);
  }
};

std::size_t send_some(int fd, std::size_t size) {
  const std::string bytes(size, 'x');
  const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent > 0 ? static_cast<std::size_t>(sent) : 0;
}

void take(int fd, std::size_t size) {
  std::string bytes(size, ' ');
  REQUIRE(::recv(fd, bytes.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size));
}

} // namespace

TEST_CASE("the kernel counts what was taken out of a connection and put into it") {
  const loopback it;
  CHECK(read_tcp_counters(it.server.get())->taken() == 0);
  REQUIRE(send_some(it.client.get(), 1000) == 1000);
  REQUIRE(test::readable_within(it.server.get(), test::patience));

  auto seen = *read_tcp_counters(it.server.get());
  CHECK(seen.unread == 1000);
  CHECK(seen.taken() == 0);
  CHECK_FALSE(seen.fin_received);
  take(it.server.get(), 400);
  seen = *read_tcp_counters(it.server.get());
  CHECK(seen.unread == 600);
  CHECK(seen.taken() == 400);
  take(it.server.get(), 600);
  CHECK(read_tcp_counters(it.server.get())->taken() == 1000);
  CHECK(read_tcp_counters(it.server.get())->written() == 0);
  REQUIRE(send_some(it.server.get(), 700) == 700);
  CHECK(read_tcp_counters(it.server.get())->written() == 700);
}

TEST_CASE("the peer's FIN is not taken for a byte") {
  loopback it;
  REQUIRE(send_some(it.client.get(), 10) == 10);
  REQUIRE(::shutdown(it.client.get(), SHUT_WR) == 0);
  pollfd end{it.server.get(), POLLRDHUP, 0};
  REQUIRE(::poll(&end, 1, 10'000) == 1);
  auto seen = *read_tcp_counters(it.server.get());
  CHECK(seen.fin_received);
  CHECK(seen.taken() == 0);
  take(it.server.get(), 10);
  CHECK(read_tcp_counters(it.server.get())->taken() == 10);
  CHECK(send_some(it.server.get(), 25) == 25);
  CHECK(read_tcp_counters(it.server.get())->written() == 25);
}

TEST_CASE("what was written is exact at every moment while the peer acknowledges") {
  const loopback it;
  const int small = 4608; // many short moments instead of one long one
  ::setsockopt(it.server.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  auto reader = test::in_child([&] {
    ::shutdown(it.server.get(), SHUT_RD); // the copy here is not used
    char bytes[3000];
    while (::recv(it.client.get(), bytes, sizeof bytes, 0) > 0) {
    }
    return 0;
  });
  std::uint64_t put_in = 0;
  int wrong = 0;
  for (int n = 0; n < 20'000; ++n) {
    put_in += send_some(it.server.get(), 1500);
    const auto seen = read_tcp_counters(it.server.get());
    REQUIRE(seen);
    if (seen->written() != put_in) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(put_in > 0);
  (void)reader.signal(SIGKILL);
}

TEST_CASE("a descriptor that is no TCP connection is an error") {
  const auto seen = read_tcp_counters(0);
  REQUIRE_FALSE(seen);
  CHECK(seen.error().verb == "read TCP counters of");
}

TEST_CASE("our own FIN is not counted as written, before and after it is acknowledged") {
  const loopback it;
  REQUIRE(send_some(it.server.get(), 500) == 500);
  CHECK_FALSE(read_tcp_counters(it.server.get())->fin_sent);
  REQUIRE(::shutdown(it.server.get(), SHUT_WR) == 0);
  const auto at_once = *read_tcp_counters(it.server.get());
  CHECK(at_once.fin_sent);
  CHECK(at_once.written() == 500);
  CHECK_FALSE(at_once.over);
  take(it.client.get(), 500);
  char byte = 0;
  REQUIRE(::recv(it.client.get(), &byte, 1, 0) == 0); // the FIN is there
  CHECK(read_tcp_counters(it.server.get())->written() == 500);
  REQUIRE(::shutdown(it.client.get(), SHUT_WR) == 0);
  REQUIRE(test::readable_within(it.server.get(), test::patience));
  CHECK(read_tcp_counters(it.server.get())->over);
}

} // namespace coppice::os
