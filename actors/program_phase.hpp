#pragma once
// The life of one program as the primary sees it (one incarnation): a visible enum and one total
// function. Pure. The actor that acts on it is program_proxy.
//
//            | started | ready    | shutdown | hurry | kill | ended  | failed
//  ----------+---------+----------+----------+-------+------+--------+-------
//  starting  | -       | announce | ask      | term  | kill | report | report
//  running   | -       | -        | ask      | term  | kill | report | -
//  stopping  | repeat  | -        | -        | term  | kill | report | report
//  ended     | -       | -        | -        | -     | -    | -      | -
//
// announce leads to running; ask, term and kill to stopping; report to ended.

#include <array>
#include <string_view>

namespace coppice {

enum class program_phase {
  starting, ///< asked for, or running and not ready yet
  running,  ///< ready
  stopping, ///< told to end; its end is waited for
  ended,    ///< it and what it had left running are gone, and that is reported
};
inline constexpr std::array program_phases{program_phase::starting, program_phase::running,
                                           program_phase::stopping, program_phase::ended};

enum class program_happening {
  started,  ///< it has been exec'd
  ready,    ///< it answers, or says so
  shutdown, ///< the supervisor asks it to end
  hurry,    ///< the same, soon
  kill,     ///< the supervisor's patience is over
  ended,    ///< it is reaped
  failed,   ///< it could not be started
};
inline constexpr std::array program_happenings{
    program_happening::started, program_happening::ready, program_happening::shutdown,
    program_happening::hurry,   program_happening::kill,  program_happening::ended,
    program_happening::failed};

enum class program_action {
  none,
  announce, ///< tell the supervisor that it is ready
  ask,      ///< its stop signal
  term,     ///< SIGTERM
  kill,     ///< SIGKILL, to its group
  repeat,   ///< it was told to end before it was there: once more
  report,   ///< tell the supervisor how it ended, and end
};

struct program_step {
  program_phase next;
  program_action action;
  friend constexpr bool operator==(const program_step&, const program_step&) = default;
};

/// Every pair has an answer: the table above.
[[nodiscard]] constexpr program_step step(program_phase phase, program_happening what) noexcept {
  using enum program_phase;
  using action = program_action;
  using happening = program_happening;
  const program_step ignore{phase, action::none};
  if (phase == ended) return ignore;
  switch (what) {
  case happening::started:
    return phase == stopping ? program_step{stopping, action::repeat} : ignore;
  case happening::ready:
    return phase == starting ? program_step{running, action::announce} : ignore;
  case happening::shutdown:
    return phase == stopping ? ignore : program_step{stopping, action::ask};
  case happening::hurry:
    return {stopping, action::term};
  case happening::kill:
    return {stopping, action::kill};
  case happening::ended:
    return {program_phase::ended, action::report};
  case happening::failed:
    return phase == running ? ignore : program_step{program_phase::ended, action::report};
  }
  return ignore;
}

} // namespace coppice
