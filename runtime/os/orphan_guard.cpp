#include <coppice/runtime/os/orphan_guard.hpp>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>

namespace coppice::os {
namespace {

int parent_death_signal() { return SIGRTMAX - 1; }

// A signal handler has no other way to its data. Written once, before the handler can run.
struct guard_timer {
  timer_t id{};
  itimerspec grace{};
  int signal = 0; ///< what the death of the parent sends; 0: there is no guard
};
guard_timer guard;

// timer_settime is async-signal-safe (signal-safety(7)), so the timer exists before the signal.
void start_grace(int) { ::timer_settime(guard.id, 0, &guard.grace, nullptr); }

std::string object_of(pid_t parent) { return "parent " + std::to_string(parent); }

/// A timer that kills: SIGKILL cannot be blocked, handled or ignored, as SIGALRM could be by what a
/// service loads.
bool make_timer(std::chrono::milliseconds grace) {
  sigevent end{};
  end.sigev_notify = SIGEV_SIGNAL;
  end.sigev_signo = SIGKILL;
  if (::timer_create(CLOCK_MONOTONIC, &end, &guard.id) != 0) return false;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(grace);
  guard.grace.it_value.tv_sec = seconds.count();
  guard.grace.it_value.tv_nsec = std::chrono::nanoseconds{grace - seconds}.count();
  return true;
}

} // namespace

result<void> die_with_parent(pid_t parent, std::chrono::milliseconds grace) {
  int number = SIGKILL;
  if (grace > std::chrono::milliseconds::zero()) {
    if (!make_timer(grace)) return system_failure("create timer for", object_of(parent));
    struct sigaction action {};
    action.sa_handler = start_grace;
    action.sa_flags = SA_RESTART;
    ::sigfillset(&action.sa_mask);
    number = parent_death_signal();
    if (::sigaction(number, &action, nullptr) != 0)
      return system_failure("handle the death of", object_of(parent));
  }
  guard.signal = number;
  return watch_parent_again(parent);
}

result<void> watch_parent_again(pid_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, guard.signal) != 0)
    return system_failure("watch", object_of(parent));
  // It may have died before the call, and then no signal comes.
  if (::getppid() != parent) return system_failure("watch", object_of(parent), ESRCH);
  return {};
}

void kill_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::raise(SIGKILL);
}

} // namespace coppice::os
