// bench_raw_pass WORKERS: what handing out connections costs when nothing is done but the system
// calls. The primary accepts and passes up to 64 connections in one SCM_RIGHTS message over a
// SOCK_STREAM pair, round robin. It has no supervision, no HTTP parser and no limits, and it loses
// connections when a worker dies: a limit, not a rival.

#include "peers/raw_pass.hpp"

#include "support/check.hpp"

#include <arpa/inet.h>
#include <array>
#include <coppice/runtime/os/unique_fd.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <vector>

namespace {

using bench::check;
using bench::pass_batch;
using coppice::os::unique_fd;

struct worker {
  unique_fd channel;
  bool blocked = false; ///< the channel was full: wait until it can be written
  std::vector<unique_fd> pending;
};

void watch(int epoll, int operation, int fd, std::uint32_t events, std::size_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  ::epoll_ctl(epoll, operation, fd, &event);
}

unique_fd listen_anywhere(std::uint16_t& port) {
  unique_fd listener{
      check(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket")};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  check(::bind(listener.get(), generic, size), "bind");
  check(::listen(listener.get(), 4096), "listen");
  check(::getsockname(listener.get(), generic, &size), "getsockname");
  port = ntohs(address.sin_port);
  return listener;
}

worker start_worker() {
  std::array<int, 2> ends{};
  check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
  worker started{unique_fd{ends[0]}, false, {}};
  unique_fd theirs{ends[1]};
  if (check(::fork(), "fork") == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    started.channel.reset();
    bench::raw_pass_worker(theirs.get());
  }
  return started;
}

/// One message with the first `count` of the pending connections.
bool send_batch(worker& to, std::size_t count) {
  std::array<int, pass_batch> connections{};
  for (std::size_t i = 0; i < count; ++i) connections[i] = to.pending[i].get();
  char byte = 0;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * pass_batch)> control;
  iovec bytes{&byte, 1};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  std::memcpy(CMSG_DATA(header), connections.data(), sizeof(int) * count);
  return ::sendmsg(to.channel.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

void flush(int epoll, worker& to, std::size_t tag) {
  while (!to.pending.empty()) {
    const std::size_t count = std::min(pass_batch, to.pending.size());
    if (!send_batch(to, count)) {
      if (!to.blocked) watch(epoll, EPOLL_CTL_MOD, to.channel.get(), EPOLLOUT, tag);
      to.blocked = true;
      return;
    }
    to.pending.erase(to.pending.begin(), to.pending.begin() + static_cast<std::ptrdiff_t>(count));
  }
  if (to.blocked) watch(epoll, EPOLL_CTL_MOD, to.channel.get(), 0, tag);
  to.blocked = false;
}

[[noreturn]] void serve(std::size_t worker_count) {
  std::vector<worker> workers;
  for (std::size_t i = 0; i < worker_count; ++i) workers.push_back(start_worker());
  std::uint16_t port = 0;
  const unique_fd listener = listen_anywhere(port);
  const unique_fd epoll{check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  const std::size_t listener_tag = worker_count;
  watch(epoll.get(), EPOLL_CTL_ADD, listener.get(), EPOLLIN, listener_tag);
  for (std::size_t i = 0; i < worker_count; ++i) {
    watch(epoll.get(), EPOLL_CTL_ADD, workers[i].channel.get(), 0, i);
  }
  fmt::print("ready port={}\n", port);
  std::fflush(stdout);

  std::size_t next = 0;
  std::array<epoll_event, 64> events;
  for (;;) {
    const int n = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; ++i) {
      const auto tag = static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64);
      if (tag != listener_tag) {
        flush(epoll.get(), workers[tag], tag);
        continue;
      }
      for (std::size_t accepted = 0; accepted < 2 * pass_batch; ++accepted) {
        unique_fd connection{
            ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!connection) break;
        workers[next++ % worker_count].pending.push_back(std::move(connection));
      }
      for (std::size_t w = 0; w < worker_count; ++w) {
        if (!workers[w].blocked) flush(epoll.get(), workers[w], w);
      }
    }
  }
}

} // namespace

int main(int argc, char** argv) {
  const int workers = argc == 2 ? std::atoi(argv[1]) : 0;
  if (workers < 1) {
    fmt::print(stderr, "usage: bench_raw_pass WORKERS\n");
    return 2;
  }
  try {
    serve(static_cast<std::size_t>(workers));
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_raw_pass: {}\n", error.what());
    return 1;
  }
}
