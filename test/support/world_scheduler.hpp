#pragma once
// CAF's testing scheduler, with two things more: it lets time pass step by step, and it ends with
// actors alive. Part of actor_world.hpp. Single-threaded.

#include <algorithm>
#include <caf/detail/test_actor_clock.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <chrono>
#include <coppice/runtime/caf/actor_roster.hpp>
#include <coppice/runtime/limits.hpp>
#include <cstddef>
#include <stdexcept>

namespace coppice::test {

class world_scheduler : public caf::scheduler::test_coordinator {
public:
  /// More turns than any test needs: actors that go past it send to each other for ever.
  static constexpr std::size_t most_turns = 1'000'000;

  using caf::scheduler::test_coordinator::test_coordinator;

  std::size_t run_ready() {
    std::size_t turns = 0;
    while (has_job()) {
      if (++turns > most_turns) throw std::runtime_error("the actors do not come to rest");
      roster_.see(*jobs.front());
      run_once();
    }
    return turns;
  }

  void advance(std::chrono::nanoseconds time) {
    run_ready();
    const auto until = clock().current_time + time;
    while (clock().has_pending_timeout() && clock().schedule().begin()->first <= until) {
      clock().current_time = std::max(clock().current_time, clock().schedule().begin()->first);
      clock().trigger_expired_timeouts();
      run_ready();
    }
    clock().current_time = until;
  }

protected:
  void stop() override {
    clock().cancel_all();
    for (std::size_t turns = 0; turns < limits::kill_rounds * limits::actor_round; ++turns) {
      roster_.kill_all();
      if (!has_job()) break;
      roster_.see(*jobs.front());
      run_once();
    }
    clock().cancel_all();
    test_coordinator::stop();
  }

private:
  actor_roster roster_;
};

} // namespace coppice::test
