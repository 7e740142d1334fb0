#include <coppice/runtime/os/child_process.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace coppice::os {
namespace {

// glibc before 2.36 has neither the name nor the wrappers.
constexpr auto by_pidfd = static_cast<idtype_t>(3);
// __WALL: a child that a zygote made may have been given another signal than SIGCHLD.
constexpr int any_child = WEXITED | __WALL;

/// What waitid says: errno, or 0 with `info.si_pid` 0 while the child runs.
int wait_for(int pidfd, siginfo_t& info, int options) noexcept {
  for (;;) {
    info = {};
    if (::waitid(by_pidfd, static_cast<id_t>(pidfd), &info, options) == 0) return 0;
    if (errno != EINTR) return errno;
  }
}

exit_status status_from(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {exit_status::kind::exited, info.si_status, false};
  return {exit_status::kind::signaled, info.si_status, info.si_code == CLD_DUMPED};
}

std::string object_of(pid_t pid) { return "process " + std::to_string(pid); }

} // namespace

std::string exit_status::text() const {
  if (how == kind::exited)
    return code_or_signal < 0 ? "exit status lost" : "exit code " + std::to_string(code_or_signal);
  const char* name = ::sigabbrev_np(code_or_signal);
  std::string text =
      name != nullptr ? std::string{"SIG"} + name : "signal " + std::to_string(code_or_signal);
  if (core) text += " (core dumped)";
  return text;
}

child_process::child_process(pid_t pid, unique_fd pidfd) noexcept
    : pid_{pid},
      pidfd_{std::move(pidfd)} {}

child_process& child_process::operator=(child_process&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = other.pid_;
    pidfd_ = std::move(other.pidfd_);
  }
  return *this;
}

child_process::~child_process() { end(); }

result<void> child_process::signal(int number) {
  if (!pidfd_) return system_failure("signal", object_of(pid_), ESRCH);
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) != 0)
    return system_failure("signal", object_of(pid_));
  return {};
}

bool child_process::stopped() const noexcept {
  siginfo_t info{};
  return pidfd_ && wait_for(pidfd_.get(), info, WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0 &&
         info.si_pid != 0;
}

result<void> child_process::signal_group(int number) {
  if (!pidfd_) return system_failure("signal", object_of(pid_), ESRCH);
  // As long as it is not reaped its pid is its own, and so is that of its group
  // (PIDFD_SIGNAL_PROCESS_GROUP would need Linux 6.9).
  if (::kill(-pid_, number) != 0) return system_failure("signal", "group of " + object_of(pid_));
  return {};
}

std::optional<exit_status> child_process::reap() {
  if (!pidfd_) return std::nullopt;
  siginfo_t info{};
  const int failed = wait_for(pidfd_.get(), info, any_child | WNOHANG);
  if (failed == 0 && info.si_pid == 0) return std::nullopt;
  pidfd_.reset();
  // ECHILD: it has ended, and its status went to somebody else. The end must be told all the same.
  if (failed != 0) return exit_status{exit_status::kind::exited, -1, false};
  return status_from(info);
}

void child_process::end() noexcept {
  if (!pidfd_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  // A pidfd that an event loop has made non-blocking would answer EAGAIN.
  if (const int flags = ::fcntl(pidfd_.get(), F_GETFL); flags >= 0)
    ::fcntl(pidfd_.get(), F_SETFL, flags & ~O_NONBLOCK);
  siginfo_t info{};
  wait_for(pidfd_.get(), info, any_child);
  pidfd_.reset();
}

result<child_process> adopt_child(pid_t pid) {
  unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!pidfd) return system_failure("open pidfd of", object_of(pid));
  // Not ours: better said now than by a wait that never answers.
  siginfo_t info{};
  const int failed = wait_for(pidfd.get(), info, any_child | WNOHANG | WNOWAIT);
  if (failed != 0) return system_failure("adopt", object_of(pid), failed);
  return child_process{pid, std::move(pidfd)};
}

result<child_process> adopt_or_end(pid_t pid) {
  auto child = adopt_child(pid);
  if (child) return child;
  // Ours and not reaped, so the number means this process and no other.
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, any_child | WNOHANG | WNOWAIT) == 0) {
    ::kill(pid, SIGKILL);
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, any_child) != 0 && errno == EINTR) {
    }
  }
  return child;
}

} // namespace coppice::os
