#include "processes.hpp"

#include <coppice/runtime/os/orphan_guard.hpp>
#include <coppice/runtime/os/signal_source.hpp>

#include <csignal>
#include <fcntl.h>

namespace coppice::os {
namespace {

using namespace std::chrono_literals;

using clock = std::chrono::steady_clock;

/// A parent with one child, which guards itself, says so, and then does `what`.
struct family {
  int said[2] = {-1, -1};
  std::optional<child_process> parent;
  unique_fd child; // its pidfd

  template <class F>
  family(std::chrono::milliseconds grace, F what) {
    REQUIRE(::pipe2(said, O_CLOEXEC) == 0);
    parent = test::in_child([&] {
      if (const pid_t own = ::getpid(); ::fork() == 0) {
        reset_signals();
        if (!die_with_parent(own, grace)) ::_exit(1);
        const pid_t self = ::getpid();
        (void)!::write(said[1], &self, sizeof self);
        what(said[1], own);
      }
      ::pause();
      return 0;
    });
    pid_t pid = 0;
    REQUIRE(::read(said[0], &pid, sizeof pid) == sizeof pid);
    child = test::open_pidfd(pid);
    REQUIRE(child);
  }
  ~family() {
    ::close(said[0]);
    ::close(said[1]);
  }
  clock::time_point kill_parent() {
    REQUIRE_FALSE(test::readable_within(child.get(), 0ms));
    const auto when = clock::now();
    REQUIRE(parent->signal(SIGKILL));
    return when;
  }
};

} // namespace

TEST_CASE("a child that spins is dead within a second of its parent") {
  family it{200ms, [](int, pid_t) {
              for (volatile int n = 0;;) n = n + 1;
            }};
  const auto killed = it.kill_parent();
  REQUIRE(test::readable_within(it.child.get(), test::patience));
  CHECK(clock::now() - killed < 1s);
}

TEST_CASE("a child that blocks and ignores every signal it can is dead within a second, too") {
  family it{200ms, [](int, pid_t) {
              for (int number = 1; number < SIGRTMIN; ++number) ::signal(number, SIG_IGN);
              sigset_t all;
              ::sigfillset(&all);
              ::sigdelset(&all, SIGRTMAX - 1); // the guard's own
              ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
              for (;;) ::pause();
            }};
  const auto killed = it.kill_parent();
  REQUIRE(test::readable_within(it.child.get(), test::patience));
  CHECK(clock::now() - killed < 1s);
}

TEST_CASE("a child has the time of grace to finish") {
  family it{20s, [](int tell, pid_t parent) {
              while (::getppid() == parent) ::usleep(1000);
              (void)!::write(tell, "done", 4);
              ::_exit(0);
            }};
  it.kill_parent();
  char text[4];
  REQUIRE(test::readable_within(it.said[0], test::patience));
  CHECK(::read(it.said[0], text, 4) == 4);
  CHECK(test::readable_within(it.child.get(), test::patience));
}

TEST_CASE("without grace a child is killed at once") {
  family it{0ms, [](int, pid_t) {
              for (;;) ::pause();
            }};
  it.kill_parent();
  CHECK(test::readable_within(it.child.get(), test::patience));
}

TEST_CASE("a child whose parent is gone already is told so") {
  auto child = test::in_child([] {
    const auto guarded = die_with_parent(::getpid(), 100ms); // anybody but the parent
    if (guarded) return 1;
    return guarded.error().code == std::errc::no_such_process ? 0 : 2;
  });
  CHECK(test::end_of(child).well());
}

TEST_CASE("a zygote whose primary is gone already is killed") {
  auto child = test::in_child([] {
    kill_with_parent(::getpid());
    return 0;
  });
  CHECK(test::end_of(child) == exit_status{exit_status::kind::signaled, SIGKILL, false});
}

} // namespace coppice::os
