// The program that the tests of runtime/spawn start: zygote, worker and, in one test, primary. Its
// main has the shape of a service's. Arguments say how the zygote is to misbehave.
#include "helper_bodies.hpp"
#include "helper_talk.hpp"

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/os/memfd.hpp>
#include <coppice/runtime/os/process_title.hpp>
#include <coppice/runtime/os/signal_source.hpp>
#include <coppice/runtime/os/socket_pair.hpp>
#include <coppice/runtime/spawn/process_role.hpp>
#include <coppice/runtime/spawn/zygote.hpp>
#include <coppice/runtime/spawn/zygote_spawner.hpp>

#include <asio/io_context.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace coppice;

/// Lets the kernel answer `number` with `verdict`.
bool filter_syscall(unsigned number, unsigned verdict) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, verdict),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog whole{static_cast<unsigned short>(std::size(program)), program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0;
}

struct behaviour {
  std::vector<std::string> words;
  [[nodiscard]] bool has(std::string_view word) const {
    for (const auto& each : words)
      if (each == word) return true;
    return false;
  }
};

void misbehave_in_preload(const behaviour& how) {
  if (how.has("preload-throws")) throw std::runtime_error{"no data"};
  for (const auto& word : how.words) // a file
    if (word.starts_with('/') && ::access(word.c_str(), F_OK) != 0)
      throw std::runtime_error{word + " is away"};
  if (how.has("preload-leaks")) {
    (void)!::open("/dev/null", O_RDONLY); // neither closed on exec nor ours to give
    ::signal(SIGUSR1, SIG_IGN);
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  }
}

void misbehave_in_rehearsal(const behaviour& how) {
  if (how.has("rehearsal-throws")) throw std::runtime_error{"no stage"};
  if (how.has("rehearsal-leaks")) {
    ::signal(SIGTERM, SIG_IGN);
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  }
  static bool in_zygote = true; // it is the first to rehearse
  if (!std::exchange(in_zygote, false) && how.has("rehearsal-takes-long")) {
    ::prctl(PR_SET_NAME, "rehearsing"); // so that the test sees that it has begun
    for (;;) ::poll(nullptr, 0, 1000);
  }
}

int be_zygote(os::process_title& title, const behaviour& how) {
  if (how.has("dies-before-hello")) return 5;
  if (how.has("clone3-enosys")) filter_syscall(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  if (how.has("clone3-eperm")) filter_syscall(SYS_clone3, SECCOMP_RET_ERRNO | EPERM);
  if (how.has("clone-refused")) filter_syscall(SYS_clone, SECCOMP_RET_ERRNO | EAGAIN);
  if (how.has("dies-at-clone")) filter_syscall(SYS_clone, SECCOMP_RET_KILL_PROCESS);
  std::optional<std::jthread> second;
  if (how.has("has-threads"))
    second.emplace([](const std::stop_token& stop) {
      while (!stop.stop_requested()) std::this_thread::yield();
    });
  const auto log = make_stderr_logger("helper");
  return run_zygote(
      *log, title, spawn_test::run_body, [&] { misbehave_in_preload(how); },
      [&] { misbehave_in_rehearsal(how); });
}

int be_worker(os::process_title& title) {
  auto boot = boot_exec_worker();
  if (!boot) {
    std::fprintf(stderr, "%s\n", boot.error().message().c_str());
    return 70;
  }
  title.set(title_of(boot->name));
  return spawn_test::run_body(*std::move(boot));
}

/// A primary with the default options and one worker of each of two kinds. Says the pids of all,
/// and stays until it is killed.
int be_primary() {
  os::reset_signals();
  asio::io_context loop;
  const auto log = make_stderr_logger("helper");
  zygote_spawner spawner{loop, *log, {}};
  std::vector<os::unique_fd> channels;
  std::vector<os::child_process> workers;
  for (const char* group : {"report", "spins"}) {
    auto control = *os::seqpacket_pair();
    auto data = *os::stream_pair();
    spawn_request request;
    request.group = group;
    request.name = std::string{group} + "/1";
    request.control = std::move(control.theirs);
    request.data = std::move(data.theirs);
    request.ledger = *os::sealed_memfd("ledger", 4096);
    channels.push_back(std::move(control.ours));
    channels.push_back(std::move(data.ours));
    spawner.spawn(std::move(request), [&](result<os::child_process> child) {
      if (!child) {
        std::fprintf(stderr, "%s\n", child.error().message().c_str());
        ::_exit(71);
      }
      workers.push_back(*std::move(child));
      if (workers.size() < 2) return;
      for (std::size_t n = 0; n < 4; n += 2) spawn_test::hear(channels[n].get());
      std::printf("%d %d %d\n", *spawner.zygote_pid(), workers[0].pid(), workers[1].pid());
      std::fflush(stdout);
    });
  }
  loop.run();
  for (;;) ::pause();
}

} // namespace

// LeakSanitizer looks for leaks from a process of its own, which becomes ours when a zygote that
// ends leaves it behind; the tests count our children.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

int main(int argc, char** argv) {
  behaviour how;
  for (int n = 1; n < argc; ++n) how.words.emplace_back(argv[n]);
  os::process_title title{argc, argv};
  const auto role = current_role();
  if (!role) return 72;
  switch (*role) {
  case process_role::zygote:
    return be_zygote(title, how);
  case process_role::worker:
    return be_worker(title);
  case process_role::primary:
    return be_primary();
  }
}
