#include "processes.hpp"

#include <coppice/runtime/os/signal_source.hpp>

#include <csignal>
#include <memory>
#include <vector>

namespace coppice::os {
namespace {

sigset_t mask_now() {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return mask;
}

/// A source blocks its signals and leaves them so; other tests must not find them blocked.
struct mask_kept {
  sigset_t before = mask_now();
  ~mask_kept() { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); }
};

auto disposition_of(int number) {
  struct sigaction found {};
  ::sigaction(number, nullptr, &found);
  return found.sa_handler;
}

} // namespace

TEST_CASE("reset_signals undoes what was inherited") {
  const int code = test::code_of_child([] {
    for (const int number :
         {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM, SIGRTMIN, SIGRTMAX})
      ::signal(number, SIG_IGN);
    ::signal(SIGPIPE, SIG_DFL);
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    reset_signals();
    for (int number = 1; number <= SIGRTMAX; ++number) {
      if (number == SIGKILL || number == SIGSTOP || (number > 31 && number < SIGRTMIN)) continue;
      if (disposition_of(number) != (number == SIGPIPE ? SIG_IGN : SIG_DFL)) return number;
      const auto mask = mask_now();
      if (::sigismember(&mask, number) != 0) return 100 + number;
    }
    return 0;
  });
  CHECK(code == 0);
}

TEST_CASE("signals come as events of the loop, in whatever handler-free way they were sent") {
  const mask_kept keep;
  asio::io_context loop;
  std::vector<int> got;
  signal_source source{loop, {SIGUSR1, SIGUSR2}, [&](int number) { got.push_back(number); }};
  ::kill(::getpid(), SIGUSR1);
  CHECK(got.empty());
  test::run_until(loop, [&] { return got.size() == 1; });
  ::raise(SIGUSR2);
  ::raise(SIGUSR1);
  test::run_until(loop, [&] { return got.size() == 3; });
  CHECK(got == std::vector{SIGUSR1, SIGUSR1, SIGUSR2}); // the kernel's order: by number
}

TEST_CASE("a signal that was sent before the loop ran is not lost") {
  const mask_kept keep;
  asio::io_context loop;
  int got = 0;
  signal_source source{loop, {SIGTERM}, [&](int number) { got = number; }};
  ::raise(SIGTERM);
  test::run_until(loop, [&] { return got != 0; });
  CHECK(got == SIGTERM);
}

TEST_CASE("a source may be destroyed in its own callback, and its signals stay blocked") {
  const mask_kept keep;
  asio::io_context loop;
  int calls = 0;
  std::unique_ptr<signal_source> source;
  source =
      std::make_unique<signal_source>(loop, std::initializer_list<int>{SIGUSR1, SIGUSR2}, [&](int) {
        source.reset();
        ++calls;
      });
  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  test::run_until(loop, [&] { return calls > 0; });
  test::run_ready(loop);
  CHECK(calls == 1);
  ::raise(SIGUSR1); // would end the process
  // Take what is pending, or unblocking would deliver it.
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR1);
  ::sigaddset(&set, SIGUSR2);
  const timespec at_once{};
  while (::sigtimedwait(&set, nullptr, &at_once) > 0) {
  }
}

} // namespace coppice::os
