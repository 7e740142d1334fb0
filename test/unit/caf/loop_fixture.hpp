#pragma once
// An actor loop to test, and the ways in which tests drive it: to a condition, with a deadline that
// only a broken loop meets. The loop thread is the test's.

#include "support/log_lines.hpp"
#include "unit/caf/messages.hpp"
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <coppice/runtime/caf/actor_loop.hpp>
#include <coppice/runtime/caf/loop_clock.hpp>

namespace coppice::test {

struct loop_fixture {
  asio::io_context io{1};
  log_lines log;
  actor_loop actors{io, log};

  /// Handlers, one by one, until `done()`. False after ten seconds.
  template <class Done>
  [[nodiscard]] bool run_until(Done done) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    const auto stay = asio::make_work_guard(io);
    while (!done()) {
      if (io.stopped()) io.restart();
      if (io.run_one_until(until) == 0 && std::chrono::steady_clock::now() >= until) return false;
    }
    return true;
  }
  /// What is ready, and what that makes ready.
  void run_what_is_ready() {
    if (io.stopped()) io.restart();
    io.poll();
  }
  [[nodiscard]] std::size_t waiting_timeouts() {
    return static_cast<loop_clock&>(actors.system().clock()).schedule().size();
  }
};

/// Does what `perform` messages say, and tells how many ticks it has had.
struct performer {
  caf::event_based_actor* self;
  std::shared_ptr<int> ticks = std::make_shared<int>(0);
  caf::behavior make_behavior() {
    return {
        [this](const tick&) { ++*ticks; },
        [this](const perform& p) { p.what(self); },
    };
  }
};

/// Always has something to do, until the flag says that it is enough.
struct busy {
  caf::event_based_actor* self;
  int& handled;
  const bool& enough;
  caf::behavior make_behavior() {
    port::mail(self, tick{}).send(self);
    return {[this](const tick&) {
      ++handled;
      if (!enough) port::mail(self, tick{}).send(self);
    }};
  }
};

} // namespace coppice::test
