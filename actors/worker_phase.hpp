#pragma once
// The life of one worker process as the primary sees it (one incarnation): a visible enum and one
// total function. Pure: no process, no channel, no clock. The actor that acts on it is
// worker_proxy.

#include <array>
#include <string_view>

namespace coppice {

/// What is true in each phase.
enum class worker_phase {
  starting, ///< asked for, or running its set-up code; it has not said ready and gets no work
  ready,    ///< it has said ready; the dispatcher may give it connections
  draining, ///< asked to finish what it has; it gets nothing new
  stopping, ///< told to end (SIGTERM, SIGKILL) or its channel is gone; only its exit is waited for
  flushing, ///< the process is reaped; what it left behind is being handed on
  exited,   ///< nothing of it is left; the actor ends
};
inline constexpr std::array worker_phases{worker_phase::starting, worker_phase::ready,
                                          worker_phase::draining, worker_phase::stopping,
                                          worker_phase::flushing, worker_phase::exited};

enum class worker_event {
  ready,          ///< the worker said so
  drain,          ///< the supervisor asks it to end in its own time
  terminate,      ///< the supervisor is in a hurry
  kill,           ///< the supervisor's patience is over
  channel_closed, ///< the worker closed its end in good order, which an exiting process does too
  channel_broken, ///< a frame broke the grammar, or the channel failed
  process_exited, ///< the process is reaped: this is the death, whatever the channel says
  start_failed,   ///< there never was a process
  forgotten,      ///< the dispatcher has taken back what was left and will send nothing more
  hung,           ///< its main loop stands still
  deadline,       ///< the grace after channel_closed, or after SIGABRT, is over
};
inline constexpr std::array worker_events{
    worker_event::ready,          worker_event::drain,          worker_event::terminate,
    worker_event::kill,           worker_event::channel_closed, worker_event::channel_broken,
    worker_event::process_exited, worker_event::start_failed,   worker_event::forgotten,
    worker_event::hung,           worker_event::deadline};

/// What worker_proxy does on the way into the next phase.
enum class worker_action {
  none,       ///< the event means nothing here: it is late, or has been acted on
  announce,   ///< tell supervisor and dispatcher that it is ready
  ask_drain,  ///< take it from the dispatcher, send the drain frame
  signal_end, ///< SIGTERM
  kill,       ///< SIGKILL
  abort,      ///< SIGABRT, for a core that shows where it hangs, and a moment to die of it
  await_exit, ///< give an exiting process a moment to be reaped, then kill
  hand_on,    ///< read the channels to their end, report the death, give back what was not taken
  finish,     ///< end the actor
};

struct worker_step {
  worker_phase next;
  worker_action action;
  friend constexpr bool operator==(const worker_step&, const worker_step&) = default;
};

/// Every (phase, event) pair has an answer; "next: action" here, and what is not here is ignored.
///
///                | starting         | ready            | draining         | stopping       |
///                flushing
/// ---------------+------------------+------------------+------------------+----------------+---------
/// ready          | ready: announce  |                  |                  |                |
/// drain          | stopping: TERM   | draining: ask    |                  |                |
/// terminate      | stopping: TERM   | stopping: TERM   | stopping: TERM   | TERM           |
/// kill           | stopping: KILL   | stopping: KILL   | stopping: KILL   | KILL           |
/// channel_closed | stopping: await  | stopping: await  | stopping: await  |                |
/// channel_broken | stopping: KILL   | stopping: KILL   | stopping: KILL   | KILL           |
/// process_exited | flushing: hand_on| flushing: hand_on| flushing: hand_on| flushing: hand_on |
/// start_failed   | flushing: hand_on|                  |                  | flushing: hand_on |
/// hung           |                  | stopping: ABRT   | stopping: ABRT   |                |
/// deadline       |                  |                  |                  | KILL           |
/// forgotten      |                  |                  |                  |                |
/// exited: finish
///
/// A worker that is not ready yet gets SIGTERM instead of a drain frame: it may be deep in its
/// set-up code, and has nothing to finish. Nor can it hang: a start has its time-out.
[[nodiscard]] constexpr worker_step step(worker_phase phase, worker_event event) noexcept {
  using enum worker_phase;
  using action = worker_action;
  const worker_step ignore{phase, action::none};
  switch (phase) {
  case starting:
  case worker_phase::ready:
  case draining:
    switch (event) {
    case worker_event::ready:
      return phase == starting ? worker_step{worker_phase::ready, action::announce} : ignore;
    case worker_event::drain:
      if (phase == starting) return {stopping, action::signal_end};
      return phase == worker_phase::ready ? worker_step{draining, action::ask_drain} : ignore;
    case worker_event::terminate:
      return {stopping, action::signal_end};
    case worker_event::kill:
      return {stopping, action::kill};
    case worker_event::channel_closed:
      return {stopping, action::await_exit};
    case worker_event::channel_broken:
      return {stopping, action::kill};
    case worker_event::process_exited:
      return {flushing, action::hand_on};
    case worker_event::start_failed:
      return phase == starting ? worker_step{flushing, action::hand_on} : ignore;
    case worker_event::hung:
      return phase == starting ? ignore : worker_step{stopping, action::abort};
    case worker_event::forgotten:
    case worker_event::deadline:
      return ignore;
    }
    return ignore;
  case stopping:
    switch (event) {
    case worker_event::terminate:
      return {stopping, action::signal_end};
    case worker_event::kill:
    case worker_event::channel_broken:
    case worker_event::deadline:
      return {stopping, action::kill};
    case worker_event::process_exited:
    case worker_event::start_failed:
      return {flushing, action::hand_on};
    case worker_event::ready:
    case worker_event::drain:
    case worker_event::channel_closed:
    case worker_event::hung:
    case worker_event::forgotten:
      return ignore;
    }
    return ignore;
  case flushing:
    return event == worker_event::forgotten ? worker_step{exited, action::finish} : ignore;
  case exited:
    return ignore;
  }
  return ignore;
}

[[nodiscard]] constexpr std::string_view to_string(worker_phase phase) noexcept {
  switch (phase) {
  case worker_phase::starting:
    return "starting";
  case worker_phase::ready:
    return "ready";
  case worker_phase::draining:
    return "draining";
  case worker_phase::stopping:
    return "stopping";
  case worker_phase::flushing:
    return "flushing";
  case worker_phase::exited:
    return "exited";
  }
  return "?";
}

} // namespace coppice
