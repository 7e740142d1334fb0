#pragma once
// The owner of one child process, through its pidfd: it is signalled and waited for by the pidfd
// only, so a pid that the kernel has given to somebody else is never hit.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <optional>
#include <string>
#include <sys/types.h>

namespace coppice::os {

/// How a process ended (waitid(2)).
struct exit_status {
  enum class kind { exited, signaled };
  kind how = kind::exited;
  /// The exit code, or the signal that killed it. A code of -1 is an end whose status was lost:
  /// somebody else waited for our child, or SIGCHLD was ignored.
  int code_or_signal = 0;
  bool core = false; ///< killed, and its core was dumped

  [[nodiscard]] bool well() const noexcept { return how == kind::exited && code_or_signal == 0; }
  /// "exit code 3", "SIGSEGV (core dumped)"
  [[nodiscard]] std::string text() const;
  bool operator==(const exit_status&) const = default;
};

/// Move-only; not thread-safe. An owner that is destroyed before the process was reaped kills it
/// (SIGKILL) and waits for its end, so that nothing is left over: neither process nor zombie.
class child_process {
public:
  /// `pid` must be an unreaped child of this process, `pidfd` its pidfd.
  child_process(pid_t pid, unique_fd pidfd) noexcept;
  child_process(child_process&& other) noexcept = default;
  child_process& operator=(child_process&& other) noexcept;
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process();

  /// To show and to log. It stays the same after the end, when it may mean another process.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Borrowed; readable once the process has ended. -1 after `reap` has answered.
  [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }

  /// pidfd_send_signal(2). ESRCH once the process is reaped.
  result<void> signal(int number);

  /// Whether it is stopped (SIGSTOP, a debugger): it does nothing until it is continued.
  [[nodiscard]] bool stopped() const noexcept;
  /// `signal` to every process of the group that this one leads: it must have been started in a
  /// session or a process group of its own.
  result<void> signal_group(int number);

  /// The status, if the process has ended; it is reaped, and its pid free again. Never blocks.
  /// Answers once.
  [[nodiscard]] std::optional<exit_status> reap();

private:
  void end() noexcept;

  pid_t pid_;
  unique_fd pidfd_; // held exactly as long as the process is not reaped
};

/// The owner of the child `pid`, which nobody has waited for yet: so the pid is still its own.
/// Errors: pidfd_open(2); ECHILD if it is not a child of this process.
[[nodiscard]] result<child_process> adopt_child(pid_t pid);

/// The same for a process that is ours for certain. If no descriptor is free for it, it is killed
/// and reaped: nobody could do that later.
[[nodiscard]] result<child_process> adopt_or_end(pid_t pid);

} // namespace coppice::os
