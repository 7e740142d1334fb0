#include "support/catch.hpp"

#include <coppice/actors/worker_phase.hpp>
#include <map>

using namespace coppice;
using enum worker_phase;
using event = worker_event;
using action = worker_action;

namespace {

// The table of the header, written a second time by hand: what is not here is ignored.
const std::map<std::pair<worker_phase, event>, worker_step> answers{
    {{starting, event::ready}, {worker_phase::ready, action::announce}},
    {{starting, event::drain}, {stopping, action::signal_end}},
    {{starting, event::terminate}, {stopping, action::signal_end}},
    {{starting, event::kill}, {stopping, action::kill}},
    {{starting, event::channel_closed}, {stopping, action::await_exit}},
    {{starting, event::channel_broken}, {stopping, action::kill}},
    {{starting, event::process_exited}, {flushing, action::hand_on}},
    {{starting, event::start_failed}, {flushing, action::hand_on}},
    {{worker_phase::ready, event::drain}, {draining, action::ask_drain}},
    {{worker_phase::ready, event::terminate}, {stopping, action::signal_end}},
    {{worker_phase::ready, event::kill}, {stopping, action::kill}},
    {{worker_phase::ready, event::channel_closed}, {stopping, action::await_exit}},
    {{worker_phase::ready, event::channel_broken}, {stopping, action::kill}},
    {{worker_phase::ready, event::process_exited}, {flushing, action::hand_on}},
    {{worker_phase::ready, event::hung}, {stopping, action::abort}},
    {{draining, event::hung}, {stopping, action::abort}},
    {{draining, event::terminate}, {stopping, action::signal_end}},
    {{draining, event::kill}, {stopping, action::kill}},
    {{draining, event::channel_closed}, {stopping, action::await_exit}},
    {{draining, event::channel_broken}, {stopping, action::kill}},
    {{draining, event::process_exited}, {flushing, action::hand_on}},
    {{stopping, event::terminate}, {stopping, action::signal_end}},
    {{stopping, event::kill}, {stopping, action::kill}},
    {{stopping, event::channel_broken}, {stopping, action::kill}},
    {{stopping, event::deadline}, {stopping, action::kill}},
    {{stopping, event::process_exited}, {flushing, action::hand_on}},
    {{stopping, event::start_failed}, {flushing, action::hand_on}},
    {{flushing, event::forgotten}, {exited, action::finish}},
};

} // namespace

TEST_CASE("every pair of phase and event has the answer that the table gives") {
  for (const auto phase : worker_phases)
    for (const auto e : worker_events) {
      INFO(to_string(phase) << ", event " << static_cast<int>(e));
      const auto it = answers.find({phase, e});
      const worker_step expected =
          it == answers.end() ? worker_step{phase, action::none} : it->second;
      CHECK(step(phase, e) == expected);
    }
}

TEST_CASE("no event leads back to an earlier phase") {
  for (const auto phase : worker_phases)
    for (const auto e : worker_events) CHECK(step(phase, e).next >= phase);
}

TEST_CASE("whatever has happened before, a reaped process is handed on exactly once") {
  for (const auto phase : {starting, worker_phase::ready, draining, stopping}) {
    const auto dead = step(phase, event::process_exited);
    CHECK(dead == worker_step{flushing, action::hand_on});
    for (const auto e : worker_events) CHECK(step(dead.next, e).action != action::hand_on);
  }
}

TEST_CASE("a closed channel and an exit may come in either order") {
  auto step1 = step(worker_phase::ready, event::channel_closed);
  CHECK(step1.action == action::await_exit);
  CHECK(step(step1.next, event::process_exited).action == action::hand_on);

  auto step2 = step(worker_phase::ready, event::process_exited);
  CHECK(step2.action == action::hand_on);
  CHECK(step(step2.next, event::channel_closed) == worker_step{flushing, action::none});
}
