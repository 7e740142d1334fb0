#pragma once
// Helpers for tests that fork: a child that runs one function, a loop that runs until something is
// so, a look at what is left over.

#include "support/catch.hpp"

#include <coppice/runtime/os/child_process.hpp>

#include <asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coppice::test {

using namespace std::chrono_literals;

/// Nothing here waits longer; a test that gets here has failed.
inline constexpr auto patience = 30s;

/// Runs `body` in a forked child; its answer is the exit code. The child runs no test code after
/// it.
inline os::child_process in_child(const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    int code = 99;
    try {
      code = body();
    } catch (...) {
      code = 98;
    }
    ::_exit(code);
  }
  REQUIRE(pid > 0);
  auto child = os::adopt_child(pid);
  REQUIRE(child);
  return *std::move(child);
}

inline bool readable_within(int fd, std::chrono::milliseconds limit) {
  pollfd it{fd, POLLIN, 0};
  return ::poll(&it, 1, static_cast<int>(limit.count())) == 1;
}

inline os::exit_status end_of(os::child_process& child) {
  REQUIRE(readable_within(child.pidfd(), patience));
  const auto status = child.reap();
  REQUIRE(status);
  return *status;
}

/// The exit code of `body` in a child of its own.
inline int code_of_child(const std::function<int()>& body) {
  auto child = in_child(body);
  const auto status = end_of(child);
  INFO(status.text());
  REQUIRE(status.how == os::exit_status::kind::exited);
  return status.code_or_signal;
}

inline void run_until(asio::io_context& loop, const std::function<bool()>& so) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!so()) {
    loop.restart();
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    loop.run_one_for(1s);
  }
}

/// Runs what is ready, and nothing else.
inline void run_ready(asio::io_context& loop) {
  loop.restart();
  loop.poll();
}

/// Neither a running child nor a zombie.
inline bool has_no_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 && errno == ECHILD;
}

/// A pidfd of any process, ours or not.
inline os::unique_fd open_pidfd(pid_t pid) {
  return os::unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

} // namespace coppice::test
