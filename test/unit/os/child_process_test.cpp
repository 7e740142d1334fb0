#include "processes.hpp"

#include <coppice/runtime/os/fd_table.hpp>
#include <coppice/runtime/os/process_watcher.hpp>
#include <coppice/runtime/os/signal_source.hpp>

#include <csignal>
#include <memory>
#include <sys/ptrace.h>
#include <sys/resource.h>

namespace coppice::os {
namespace {

using namespace std::chrono_literals;

using kind = exit_status::kind;
using test::in_child;

[[noreturn]] int wait_for_ever() {
  for (;;) ::pause();
}

struct watched {
  asio::io_context loop;
  std::optional<exit_status> status;
  std::unique_ptr<process_watcher> watcher;

  void watch(child_process child) {
    watcher = std::make_unique<process_watcher>(loop, std::move(child), [this](exit_status how) {
      REQUIRE_FALSE(status);
      status = how;
    });
  }
  exit_status end() {
    test::run_until(loop, [&] { return status.has_value(); });
    return *status;
  }
};

} // namespace

TEST_CASE("an exit status says how a process ended") {
  CHECK(exit_status{kind::exited, 3, false}.text() == "exit code 3");
  CHECK(exit_status{kind::signaled, SIGSEGV, true}.text() == "SIGSEGV (core dumped)");
  CHECK(exit_status{kind::signaled, SIGKILL, false}.text() == "SIGKILL");
  CHECK(exit_status{kind::signaled, SIGRTMIN + 2, false}.text() ==
        "signal " + std::to_string(SIGRTMIN + 2));
  CHECK(exit_status{kind::exited, -1, false}.text() == "exit status lost");
  CHECK(exit_status{kind::exited, 0, false}.well());
  CHECK_FALSE(exit_status{kind::exited, 1, false}.well());
  CHECK_FALSE(exit_status{kind::exited, -1, false}.well());
  CHECK_FALSE(exit_status{kind::signaled, 0, false}.well());
}

TEST_CASE("a child that no descriptor is free for is ended, not forgotten") {
  CHECK(test::code_of_child([] {
          const pid_t child = ::fork();
          if (child == 0) wait_for_ever();
          rlimit before{};
          ::getrlimit(RLIMIT_NOFILE, &before);
          const rlimit none{0, before.rlim_max};
          if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return 1;
          const auto adopted = adopt_or_end(child);
          // The sanitizers want a descriptor to look at an error with.
          ::setrlimit(RLIMIT_NOFILE, &before);
          if (adopted || adopted.error().code != std::errc::too_many_files_open) return 2;
          return ::kill(child, 0) == 0 ? 3 : 0; // reaped, too: there is no such process
        }) == 0);
}

TEST_CASE("a child that is stopped says so, until it is continued") {
  auto child = in_child(wait_for_ever);
  CHECK_FALSE(child.stopped());
  REQUIRE(child.signal(SIGSTOP));
  const auto until = [&](bool stopped) {
    const auto deadline = std::chrono::steady_clock::now() + test::patience;
    while (child.stopped() != stopped)
      if (std::chrono::steady_clock::now() > deadline) return false;
    return true;
  };
  CHECK(until(true));
  CHECK(child.stopped()); // asking does not use the answer up
  REQUIRE(child.signal(SIGCONT));
  CHECK(until(false));
}

TEST_CASE("the watcher tells every kind of end") {
  struct row {
    const char* how;
    int (*body)();
    exit_status expected;
  };
  const auto die_of = [](int number) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    reset_signals(); // a sanitizer's handlers, too
    ::raise(number);
    return 97;
  };
  static const auto die = die_of;
  const row rows[] = {
      {"code 0", [] { return 0; }, {kind::exited, 0, false}},
      {"code 3", [] { return 3; }, {kind::exited, 3, false}},
      {"code 255", [] { return 255; }, {kind::exited, 255, false}},
      {"abort", [] { return die(SIGABRT); }, {kind::signaled, SIGABRT, false}},
      {"segmentation fault", [] { return die(SIGSEGV); }, {kind::signaled, SIGSEGV, false}},
      {"TERM", [] { return die(SIGTERM); }, {kind::signaled, SIGTERM, false}},
      {"KILL", [] { return die(SIGKILL); }, {kind::signaled, SIGKILL, false}},
      {"a real-time signal",
       [] { return die(SIGRTMIN + 5); },
       {kind::signaled, SIGRTMIN + 5, false}},
  };
  for (const auto& row : rows) {
    INFO(row.how);
    watched it;
    it.watch(in_child(row.body));
    CHECK(it.end() == row.expected);
  }
  CHECK(test::has_no_children());
}

TEST_CASE("a child that ended before it is watched is told all the same") {
  auto child = in_child([] { return 4; });
  REQUIRE(test::readable_within(child.pidfd(), test::patience));
  watched it;
  it.watch(std::move(child));
  CHECK_FALSE(it.status); // never from inside the constructor
  CHECK(it.end().code_or_signal == 4);
}

TEST_CASE("200 ends at once are 200 events") {
  asio::io_context loop;
  std::vector<std::unique_ptr<process_watcher>> watchers;
  int ended = 0;
  int sum = 0;
  for (int n = 0; n < 200; ++n)
    watchers.push_back(
        std::make_unique<process_watcher>(loop, in_child([n] { return n; }), [&](exit_status how) {
          ++ended;
          sum += how.code_or_signal;
        }));
  test::run_until(loop, [&] { return ended == 200; });
  CHECK(sum == 199 * 200 / 2);
  CHECK(test::has_no_children());
}

TEST_CASE("a stopped child has not ended") {
  watched it;
  it.watch(in_child(wait_for_ever));
  REQUIRE(it.watcher->process().signal(SIGSTOP));
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(it.watcher->process().pid()), &info,
                   WSTOPPED | WNOWAIT) == 0);
  test::run_ready(it.loop);
  CHECK_FALSE(it.status);
  REQUIRE(it.watcher->process().signal(SIGKILL));
  CHECK(it.end() == exit_status{kind::signaled, SIGKILL, false});
}

TEST_CASE("a watcher that is destroyed kills its child, reaps it and says nothing") {
  watched it;
  it.watch(in_child(wait_for_ever));
  test::run_ready(it.loop);
  it.watcher.reset();
  CHECK(test::has_no_children());
  test::run_ready(it.loop);
  CHECK_FALSE(it.status);
}

TEST_CASE("a watcher that is destroyed while its event is queued says nothing") {
  watched it;
  it.watch(in_child([] { return 0; }));
  REQUIRE(test::readable_within(it.watcher->process().pidfd(), test::patience));
  it.watcher.reset();
  test::run_ready(it.loop);
  CHECK_FALSE(it.status);
  CHECK(test::has_no_children());
}

TEST_CASE("a watcher may be destroyed in its own callback") {
  asio::io_context loop;
  bool called = false;
  std::unique_ptr<process_watcher> watcher;
  watcher = std::make_unique<process_watcher>(loop, in_child([] { return 0; }), [&](exit_status) {
    watcher.reset();
    called = true;
  });
  test::run_until(loop, [&] { return called; });
  CHECK(test::has_no_children());
}

TEST_CASE("watching leaks no descriptor") {
  asio::io_context loop;
  {
    process_watcher warm_up{loop, in_child([] { return 0; }), [](exit_status) {}};
  }
  const auto before = open_descriptors();
  for (int n = 0; n < 10; ++n) {
    bool ended = false;
    process_watcher watcher{loop, in_child([] { return 0; }), [&](exit_status) { ended = true; }};
    test::run_until(loop, [&] { return ended; });
    CHECK(watcher.process().pidfd() == -1);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a child that somebody traces is told when the tracer lets go") {
  auto child = in_child(wait_for_ever);
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  int go[2];
  REQUIRE(::pipe(go) == 0);
  const pid_t target = child.pid();
  auto tracer = in_child([&] {
    if (::ptrace(PTRACE_SEIZE, target, 0, 0) != 0) return 1;
    char byte = 'r';
    (void)!::write(ready[1], &byte, 1);
    (void)!::read(go[0], &byte, 1);
    return 0;
  });
  if (!test::readable_within(ready[0], 10s)) {
    WARN("ptrace is not allowed here");
    return;
  }
  watched it;
  it.watch(std::move(child));
  REQUIRE(it.watcher->process().signal(SIGKILL));
  REQUIRE(test::readable_within(it.watcher->process().pidfd(), test::patience));
  it.loop.run_for(50ms); // the zombie is the tracer's: nothing to tell, and no spinning
  CHECK_FALSE(it.status);
  (void)!::write(go[1], "g", 1);
  CHECK(it.end() == exit_status{kind::signaled, SIGKILL, false});
  CHECK(test::end_of(tracer).well());
  for (const int fd : {ready[0], ready[1], go[0], go[1]}) ::close(fd);
}

TEST_CASE("an owner that is overwritten or destroyed leaves neither process nor zombie") {
  {
    auto child = in_child(wait_for_ever);
    child = in_child(wait_for_ever);
    auto moved = std::move(child);
    CHECK(moved.pidfd() >= 0);
  }
  CHECK(test::has_no_children());
}

TEST_CASE("a reaped child cannot be signalled, and answers once") {
  auto child = in_child([] { return 0; });
  CHECK(test::end_of(child).well());
  CHECK_FALSE(child.reap());
  const auto sent = child.signal(SIGTERM);
  REQUIRE_FALSE(sent);
  CHECK(sent.error().code == std::errc::no_such_process);
  CHECK(sent.error().message() ==
        "signal process " + std::to_string(child.pid()) + ": No such process");
}

TEST_CASE("only children are adopted") {
  const auto stranger = adopt_child(::getppid());
  REQUIRE_FALSE(stranger);
  CHECK(stranger.error().code == std::errc::no_child_process);
  const auto nobody = adopt_child(0x7ffffff0);
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().verb == "open pidfd of");
}

TEST_CASE("an inherited SIGCHLD=SIG_IGN loses exit codes, until signals are reset") {
  const auto code_after = [](bool reset) {
    return test::code_of_child([reset] {
      ::signal(SIGCHLD, SIG_IGN);
      if (reset) reset_signals();
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::pause();
        ::_exit(7);
      }
      auto child = *adopt_child(pid);
      if (!child.signal(SIGUSR1)) return 90;
      if (!test::readable_within(child.pidfd(), 20s)) return 91;
      const auto status = child.reap();
      if (!status) return 92;
      return status->how == kind::signaled && status->code_or_signal == SIGUSR1 ? 0 : 1;
    });
  };
  CHECK(code_after(false) == 1); // told as ended, its status lost
  CHECK(code_after(true) == 0);
}

} // namespace coppice::os
