// The worker of bench_raw_pass: takes connections from its channel, answers every read with two
// bytes.

#include "peers/raw_pass.hpp"

#include "support/check.hpp"

#include <array>
#include <cstring>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {
namespace {

constexpr std::string_view answer_and_close =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
constexpr std::string_view answer_and_stay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// True while the connection stays open.
bool serve(int connection) {
  std::array<char, 2048> buffer;
  const auto n = ::recv(connection, buffer.data(), buffer.size(), 0);
  if (n < 0 && errno == EAGAIN) return true;
  if (n <= 0) {
    ::close(connection);
    return false;
  }
  const std::string_view request{buffer.data(), static_cast<std::size_t>(n)};
  const bool last = request.find("Connection: close") != std::string_view::npos;
  const auto answer = last ? answer_and_close : answer_and_stay;
  ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
  if (last) ::close(connection);
  return !last;
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void take_connections(int epoll, int channel) {
  for (;;) {
    std::array<char, pass_batch> data;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * pass_batch)> control;
    iovec bytes{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto n = ::recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) return;
    if (n == 0) ::_exit(0);
    for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_type != SCM_RIGHTS) continue;
      std::array<int, pass_batch> connections;
      const std::size_t size = header->cmsg_len - CMSG_LEN(0);
      std::memcpy(connections.data(), CMSG_DATA(header), size);
      for (std::size_t i = 0; i < size / sizeof(int); ++i) {
        // The request is usually already there.
        if (serve(connections[i])) watch(epoll, connections[i]);
      }
    }
  }
}

} // namespace

void raw_pass_worker(int channel) {
  const int epoll = check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  watch(epoll, channel);
  std::array<epoll_event, 128> events;
  for (;;) {
    const int n = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == channel) {
        take_connections(epoll, channel);
      } else {
        serve(fd);
      }
    }
  }
}

} // namespace bench
