#include <coppice/runtime/spawn/fork_worker.hpp>

#include <coppice/runtime/os/unique_fd.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace coppice {
namespace {

#ifndef PR_GET_TID_ADDRESS
constexpr int PR_GET_TID_ADDRESS = 40;
#endif

// The order of clone's last two arguments differs between machines (clone(2), C library/kernel
// differences). On a machine that is not listed only the first three are relied on.
#if defined(__x86_64__)
constexpr bool order_is_known = true;
long raw_clone(unsigned long flags, pid_t* parent_tid, int* child_tid) {
  return ::syscall(SYS_clone, flags, nullptr, parent_tid, child_tid, nullptr);
}
#else
#if defined(__aarch64__) || defined(__arm__) || defined(__i386__) || defined(__riscv)
constexpr bool order_is_known = true;
#else
constexpr bool order_is_known = false;
#endif
long raw_clone(unsigned long flags, pid_t* parent_tid, int* child_tid) {
  return ::syscall(SYS_clone, flags, nullptr, parent_tid, nullptr, child_tid);
}
#endif

/// Where the kernel clears the thread id when the thread ends: libc's own record of it.
int* tid_address() noexcept {
  int* address = nullptr;
  if (::prctl(PR_GET_TID_ADDRESS, &address, 0, 0, 0) != 0) return nullptr;
  return address;
}

result<pid_t> clone_sibling(birth_register& births) {
  int* const tid = tid_address();
  if (tid == nullptr) return system_failure("fork", "worker", ENOSYS);
  void* robust_list = nullptr;
  std::size_t robust_size = 0;
  ::syscall(SYS_get_robust_list, 0, &robust_list, &robust_size);

  const long pid =
      raw_clone(CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
                births.worker_slot(), tid);
  if (pid < 0) return system_failure("fork", "worker");
  if (pid == 0 && robust_list != nullptr) ::syscall(SYS_set_robust_list, robust_list, robust_size);
  return static_cast<pid_t>(pid);
}

/// A signal that says "your parent has ended, and you have another one now", for a moment.
int reparented_signal() { return SIGRTMAX - 2; }

/// In the worker of a double fork. The kernel sends the parent-death signal after it has moved the
/// children to their new parent, so waiting for it is waiting for that. The middle process ends
/// only when it is told that the signal is armed, so the signal is sure to come.
void await_new_parent(pid_t middle, int tell_armed) {
  sigset_t only;
  sigset_t before;
  ::sigemptyset(&only);
  ::sigaddset(&only, reparented_signal());
  ::pthread_sigmask(SIG_BLOCK, &only, &before);
  ::prctl(PR_SET_PDEATHSIG, reparented_signal());
  // Killed from outside: whether the signal comes is a race, and the zygote ends over this, too.
  if (::getppid() != middle) ::_exit(1);
  constexpr char armed = 1;
  (void)!::write(tell_armed, &armed, sizeof armed);
  do {
    ::sigwaitinfo(&only, nullptr); // once for sure, or it stays pending and kills us below
  } while (::getppid() == middle);
  ::prctl(PR_SET_PDEATHSIG, 0);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// In the middle process: makes the worker, and answers 0 in it. Ends with 0, or with fork's errno.
pid_t fork_from_middle(birth_register& births) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) ::_exit(errno);
  os::unique_fd armed{ends[0]};
  os::unique_fd tell_armed{ends[1]};
  const pid_t middle = ::getpid();
  const pid_t worker = ::fork(); // libc's own, so that all of libc is right in the worker
  if (worker < 0) ::_exit(errno);
  births.set_worker(worker == 0 ? ::getpid() : worker);
  if (worker == 0) {
    await_new_parent(middle, tell_armed.get());
    return 0;
  }
  tell_armed.reset();
  char byte = 0;
  (void)!::read(armed.get(), &byte, sizeof byte); // or its end: the worker is dead already
  ::_exit(0);
}

result<pid_t> fork_twice(birth_register& births) {
  // The kernel writes this pid, too: the primary reaps the process if we die meanwhile.
  const long middle = raw_clone(CLONE_PARENT_SETTID | SIGCHLD, births.middle_slot(), nullptr);
  if (middle < 0) return system_failure("fork", "worker");
  if (middle == 0) return fork_from_middle(births);

  int status = 0;
  while (::waitpid(static_cast<pid_t>(middle), &status, 0) < 0 && errno == EINTR) {
  }
  births.forget_middle();
  // Killed: there may be a worker that has not said so yet. Only the register can tell.
  if (!WIFEXITED(status)) ::_exit(1);
  if (WEXITSTATUS(status) != 0) return system_failure("fork", "worker", WEXITSTATUS(status));
  return births.worker();
}

} // namespace

std::string_view to_string(fork_way way) noexcept {
  return way == fork_way::clone ? "clone" : "double_fork";
}

std::optional<fork_way> fork_way_named(std::string_view name) noexcept {
  for (const auto way : std::array{fork_way::clone, fork_way::double_fork})
    if (name == to_string(way)) return way;
  return std::nullopt;
}

fork_way best_fork_way() noexcept {
  return order_is_known && tid_address() != nullptr ? fork_way::clone : fork_way::double_fork;
}

result<pid_t> fork_worker(fork_way way, birth_register& births) {
  return way == fork_way::clone ? clone_sibling(births) : fork_twice(births);
}

} // namespace coppice
