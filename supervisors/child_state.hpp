#pragma once
// The states of one child, what may happen to it, and what is done about it: one table, total.
// Pure.
//
//               | start | ready   | ended      | timer      | stop      | hurry     | kill
//  -------------+-------+---------+------------+------------+-----------+-----------+----------
//  waiting      | start | -       | -          | -          | stay_down | stay_down | stay_down
//  starting     | -     | come_up | fail_start | time_out   | ask       | ask       | kill
//  up           | -     | -       | die        | prove      | ask       | ask       | kill
//  backing_off  | -     | -       | -          | try_again  | stay_down | stay_down | stay_down
//  timing_out   | -     | -       | fail_start | -          | take_over | take_over | take_over
//  stopping     | -     | -       | settle     | kill       | -         | hasten    | kill
//  killing      | -     | -       | settle     | -          | -         | -         | -
//  down         | start | -       | -          | -          | -         | -         | -
//  removed      | -     | -       | -          | -          | -         | -         | -
//
// Events of another incarnation than the child's present one, and timers that were armed for an
// earlier state, never get as far as this table.

#include <array>
#include <string_view>

namespace coppice {

enum class child_state {
  waiting,     ///< to be started when its turn comes; nothing of it exists
  starting,    ///< an incarnation exists and is not ready; the ready timeout is armed
  up,          ///< ready; armed only if degraded: the moment when it counts as recovered
  backing_off, ///< dead and to be restarted; nothing of it exists, the restart is armed
  timing_out,  ///< killed because it was not ready in time; its end is a failed start
  stopping,    ///< asked to end; the moment of the kill is armed, unless it may take for ever
  killing,     ///< told to end at once, on purpose; only its end is awaited
  down,        ///< ended, and not to be started again by itself; its spec is kept
  removed,     ///< a temporary child that has ended: forgotten
};
inline constexpr std::array all_child_states{
    child_state::waiting,     child_state::starting,   child_state::up,
    child_state::backing_off, child_state::timing_out, child_state::stopping,
    child_state::killing,     child_state::down,       child_state::removed,
};

enum class child_event {
  start, ///< its turn has come
  ready, ///< it says that it is ready
  ended, ///< it is gone
  timer, ///< what was armed is due
  stop,  ///< the supervisor wants it to end
  hurry, ///< the same, soon
  kill,  ///< the same, at once
};
inline constexpr std::array all_child_events{
    child_event::start, child_event::ready, child_event::ended, child_event::timer,
    child_event::stop,  child_event::hurry, child_event::kill,
};

enum class reaction {
  ignore,
  start,      ///< a new incarnation
  come_up,    ///< it counts as started; the next one may start
  fail_start, ///< it never was ready: a boot failure, or a restart that failed
  die,        ///< an end that nobody asked for
  time_out,   ///< kill it: the start took too long
  prove,      ///< degraded, and up for long enough: recovered
  try_again,  ///< the wait is over: start it when its turn comes
  ask,        ///< ask it to stop, with its deadline
  hasten,     ///< bring the deadline forward
  kill,       ///< the deadline has passed, or there is none
  take_over,  ///< it is being killed already; from now on on purpose
  settle,     ///< the end that was asked for: well, whatever it looked like
  stay_down,  ///< nothing to stop: only the wish to start it is dropped
};

/// The table above.
[[nodiscard]] constexpr reaction react(child_state state, child_event event) noexcept {
  using enum reaction;
  switch (state) {
  case child_state::waiting:
    switch (event) {
    case child_event::start:
      return start;
    case child_event::ready:
    case child_event::ended:
    case child_event::timer:
      return ignore;
    case child_event::stop:
    case child_event::hurry:
    case child_event::kill:
      return stay_down;
    }
    break;
  case child_state::starting:
    switch (event) {
    case child_event::start:
      return ignore;
    case child_event::ready:
      return come_up;
    case child_event::ended:
      return fail_start;
    case child_event::timer:
      return time_out;
    case child_event::stop:
    case child_event::hurry:
      return ask;
    case child_event::kill:
      return kill;
    }
    break;
  case child_state::up:
    switch (event) {
    case child_event::start:
    case child_event::ready:
      return ignore;
    case child_event::ended:
      return die;
    case child_event::timer:
      return prove;
    case child_event::stop:
    case child_event::hurry:
      return ask;
    case child_event::kill:
      return kill;
    }
    break;
  case child_state::backing_off:
    switch (event) {
    case child_event::start:
    case child_event::ready:
    case child_event::ended:
      return ignore;
    case child_event::timer:
      return try_again;
    case child_event::stop:
    case child_event::hurry:
    case child_event::kill:
      return stay_down;
    }
    break;
  case child_state::timing_out:
    switch (event) {
    case child_event::start:
    case child_event::ready:
    case child_event::timer:
      return ignore;
    case child_event::ended:
      return fail_start;
    case child_event::stop:
    case child_event::hurry:
    case child_event::kill:
      return take_over;
    }
    break;
  case child_state::stopping:
    switch (event) {
    case child_event::start:
    case child_event::ready:
    case child_event::stop:
      return ignore;
    case child_event::ended:
      return settle;
    case child_event::hurry:
      return hasten;
    case child_event::timer:
    case child_event::kill:
      return kill;
    }
    break;
  case child_state::killing:
    return event == child_event::ended ? settle : ignore;
  case child_state::down:
    return event == child_event::start ? start : ignore;
  case child_state::removed:
    return ignore;
  }
  return ignore;
}

/// It is not there now, and will be started without being told to.
[[nodiscard]] constexpr bool is_restarting(child_state state) noexcept {
  return state == child_state::backing_off || state == child_state::waiting;
}

/// An incarnation exists: there is something to stop, and an end to wait for.
[[nodiscard]] constexpr bool is_alive(child_state state) noexcept {
  switch (state) {
  case child_state::starting:
  case child_state::up:
  case child_state::timing_out:
  case child_state::stopping:
  case child_state::killing:
    return true;
  case child_state::waiting:
  case child_state::backing_off:
  case child_state::down:
  case child_state::removed:
    return false;
  }
  return false;
}

[[nodiscard]] constexpr std::string_view to_string(child_state state) noexcept {
  switch (state) {
  case child_state::waiting:
    return "waiting";
  case child_state::starting:
    return "starting";
  case child_state::up:
    return "up";
  case child_state::backing_off:
    return "backing_off";
  case child_state::timing_out:
    return "timing_out";
  case child_state::stopping:
    return "stopping";
  case child_state::killing:
    return "killing";
  case child_state::down:
    return "down";
  case child_state::removed:
    return "removed";
  }
  return "unknown";
}

} // namespace coppice
