// Compiled without sanitizers: their run-time has no place in a child that shares memory.
#include <coppice/runtime/spawn/exec_child.hpp>

#include <coppice/runtime/spawn/setup_child.hpp>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coppice {
namespace {

// The kernel's sets of signals, where libc's are larger. Zeros are the same in any layout: no
// signal, SIG_DFL, no flag.
constexpr std::size_t kernel_signals = _NSIG / 8;
constexpr unsigned long zeros[16] = {};

[[noreturn]] void fail(const exec_order& order, exec_report::step step, int code,
                       std::size_t index = 0) noexcept {
  order.report->index = index;
  order.report->code = code;
  order.report->failed = step;
  for (;;) ::syscall(SYS_exit_group, 127);
}

void reset_dispositions() noexcept {
  for (int number = 1; number < _NSIG; ++number) // SIGKILL and SIGSTOP refuse, and need it not
    ::syscall(SYS_rt_sigaction, number, zeros, nullptr, kernel_signals);
}

bool put_descriptors(const exec_order& order) noexcept {
  for (const auto& move : order.moves)
    if (::syscall(SYS_dup3, move.from, move.to, 0) < 0) return false;
  return true;
}

bool open_input() noexcept {
  const long null = ::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0);
  if (null < 0) return false;
  if (null == STDIN_FILENO) return true;
  if (::syscall(SYS_dup3, null, STDIN_FILENO, 0) < 0) return false;
  ::syscall(SYS_close, null);
  return true;
}

void close_from(int lowest) noexcept {
  if (::syscall(SYS_close_range, lowest, ~0U, 0U) == 0) return;
  // Before Linux 5.9. What is ours is closed on exec anyway; this is for what others have left
  // open.
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > 65536) limit.rlim_cur = 65536;
  for (int fd = lowest; static_cast<rlim_t>(fd) < limit.rlim_cur; ++fd) ::syscall(SYS_close, fd);
}

} // namespace

int run_exec_child(void* argument) noexcept {
  const exec_order& order = *static_cast<const exec_order*>(argument);
  using step = exec_report::step;
  reset_dispositions();
  if (order.own_session && ::syscall(SYS_setsid) < 0) fail(order, step::session, errno);
  if (order.own_group && ::syscall(SYS_setpgid, 0, 0) < 0) fail(order, step::session, errno);
  if (!put_descriptors(order)) fail(order, step::descriptors, errno);
  if (order.opens_input && !open_input()) fail(order, step::input, errno);
  close_from(order.lowest_closed);
  if (const auto outcome = take_steps(order.steps); outcome.code != 0)
    fail(order, step::setup, outcome.code, outcome.failed);
  if (order.parent_death_signal != 0) {
    ::syscall(SYS_prctl, PR_SET_PDEATHSIG, order.parent_death_signal, 0, 0, 0);
    // It may have died before the call, and then no signal comes.
    if (::syscall(SYS_getppid) != order.parent) fail(order, step::parent, ESRCH);
  }
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, zeros, nullptr, kernel_signals);
  ::syscall(SYS_execve, order.executable, order.argv, order.environment);
  fail(order, step::exec, errno);
}

} // namespace coppice
