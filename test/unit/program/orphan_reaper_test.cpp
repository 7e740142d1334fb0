// Processes that nobody waits for.
#include "support/catch.hpp"
#include "unit/os/processes.hpp"

#include <coppice/runtime/os/process_watcher.hpp>
#include <coppice/runtime/program/orphan_reaper.hpp>
#include <coppice/runtime/program/strays.hpp>

namespace coppice {

// In a child of ours: it is to be a subreaper, and its children are to be counted.
TEST_CASE("a reaper takes what was left to us, and nothing that has an owner") {
  const int code = test::code_of_child([] {
    become_subreaper();
    asio::io_context loop{1};
    orphan_reaper reaper{loop};
    auto owned = test::in_child([] { return 7; });
    auto parent = test::in_child([] {
      const pid_t own = ::getpid();
      if (::fork() == 0) { // an orphan that ends when its parent has
        while (::getppid() == own) ::usleep(1000);
        ::_exit(0);
      }
      return 0;
    });
    if (!test::end_of(parent).well()) return 1;
    if (!test::readable_within(owned.pidfd(), test::patience)) return 2;
    // The owner has its turn between two sweeps, as the loop sees to.
    reaper.sweep();
    if (reaper.reaped() != 0) return 3;
    if (owned.reap() != os::exit_status{os::exit_status::kind::exited, 7, false}) return 4;
    const auto until = std::chrono::steady_clock::now() + test::patience;
    while (reaper.reaped() < 1 && std::chrono::steady_clock::now() < until) {
      ::usleep(1000);
      reaper.sweep();
    }
    return reaper.reaped() == 1 && test::has_no_children() ? 0 : 5;
  });
  CHECK(code == 0);
}

TEST_CASE("this process knows its children") {
  auto child = test::in_child([] {
    for (;;) ::pause();
    return 0;
  });
  CHECK(children_of_this_process() == std::vector<pid_t>{child.pid()});
  CHECK(look_for_strays(new_mark()).strays.empty());
}

} // namespace coppice
