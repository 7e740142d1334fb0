#include "support/catch.hpp"

#include <coppice/supervisors/child_state.hpp>

using namespace coppice;

TEST_CASE("every pair of child state and event has an answer that makes sense") {
  int pairs = 0;
  for (const child_state state : all_child_states) {
    for (const child_event event : all_child_events) {
      CAPTURE(to_string(state), static_cast<int>(event));
      ++pairs;
      const reaction answer = react(state, event);
      const bool wants_end =
          event == child_event::stop || event == child_event::hurry || event == child_event::kill;
      switch (answer) {
      case reaction::start:
      case reaction::try_again: // a second incarnation beside a living one must be impossible
        CHECK_FALSE(is_alive(state));
        CHECK((event == child_event::start || event == child_event::timer));
        break;
      case reaction::come_up:
        CHECK(event == child_event::ready);
        CHECK(state == child_state::starting);
        break;
      case reaction::fail_start:
      case reaction::die:
      case reaction::settle:
        CHECK(event == child_event::ended);
        CHECK(is_alive(state));
        break;
      case reaction::time_out:
        CHECK(event == child_event::timer);
        CHECK(state == child_state::starting);
        break;
      case reaction::prove:
        CHECK(event == child_event::timer);
        CHECK(state == child_state::up);
        break;
      case reaction::ask:
      case reaction::hasten:
      case reaction::take_over:
        CHECK(wants_end);
        CHECK(is_alive(state));
        break;
      case reaction::kill:
        CHECK(is_alive(state));
        CHECK((event == child_event::kill || event == child_event::timer));
        break;
      case reaction::stay_down:
        CHECK(wants_end);
        CHECK_FALSE(is_alive(state));
        break;
      case reaction::ignore:
        break;
      }
    }
  }
  CHECK(pairs == 9 * 7);
}

TEST_CASE("the end of a living child is never ignored, that of another always is") {
  for (const child_state state : all_child_states) {
    CAPTURE(to_string(state));
    CHECK((react(state, child_event::ended) == reaction::ignore) == !is_alive(state));
  }
}

TEST_CASE("a kill reaches every living child that has not been killed") {
  for (const child_state state : all_child_states) {
    if (!is_alive(state) || state == child_state::killing) continue;
    CAPTURE(to_string(state));
    CHECK(react(state, child_event::kill) != reaction::ignore);
  }
}

TEST_CASE("nothing brings back a child that has been removed") {
  for (const child_event event : all_child_events)
    CHECK(react(child_state::removed, event) == reaction::ignore);
}
