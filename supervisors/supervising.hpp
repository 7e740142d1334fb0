#pragma once
// What goes into supervision::decide and what comes out: events and actions. Children are named by
// their key, and every incarnation has a number of its own. Values; pure.

#include <coppice/supervisors/calls.hpp>
#include <coppice/supervisors/child_key.hpp>
#include <coppice/supervisors/ending.hpp>
#include <coppice/supervisors/monotonic.hpp>
#include <coppice/supervisors/supervisor_report.hpp>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace coppice::supervising {

/// Names one armed timer of one child, or of its second incarnation. Each has at most one that
/// counts: arming another, or leaving the state it was armed for, makes this one stale.
struct timer_token {
  child_key child = 0;
  std::uint64_t serial = 0;
  bool second = false;
  bool operator==(const timer_token&) const = default;
};

// ---- events -----------------------------------------------------------------------------------

/// Start the children. Once, first.
struct begin {};
struct child_ready {
  child_key child = 0;
  std::uint64_t incarnation = 0;
  std::int32_t pid = 0;
};
/// It is gone, or could not even be started.
struct child_ended {
  child_key child = 0;
  std::uint64_t incarnation = 0;
  coppice::ending ending{};
};
/// It is to be replaced. `how` is what its end counts as: well, it is no death at all.
struct child_retires {
  child_key child = 0;
  std::uint64_t incarnation = 0;
  ending how{};
};
struct timer_due {
  timer_token token{};
};
/// Stop the children and end.
struct stop_requested {};
/// The same, all of it within `limit`: deadlines that are later are brought forward.
struct hurry {
  monotonic_duration limit{};
};
/// The same, at once.
struct kill {};

/// Something is asked of it, at any time; answered by one `reply` with the same ticket, at once or
/// later. Tickets are the caller's, each its own.
struct call {
  std::uint64_t ticket = 0;
  calls::request what{};
};

using event = std::variant<begin, child_ready, child_ended, child_retires, timer_due,
                           stop_requested, hurry, kill, call>;

// ---- actions ----------------------------------------------------------------------------------

/// Answered by child_ready or child_ended, later, never from within.
struct start_child {
  child_key child = 0;
  std::uint64_t incarnation = 0;
};
enum class stop_mode { shutdown, hurry, kill };
/// Answered by child_ended.
struct stop_child {
  child_key child = 0;
  std::uint64_t incarnation = 0;
  stop_mode how = stop_mode::shutdown;
};
/// Replaces the timer before it, of the child or of its second incarnation. Never in the past.
struct arm_timer {
  timer_token token{};
  monotonic_time due{};
};
/// Something for the log.
struct note {
  supervisor_report report{};
};
/// All children have started. At most once.
struct report_up {};
/// There is a new child, which comes from this call, or with ticket 0 from the template. Its start
/// follows, now or later.
struct adopt_child {
  child_key child = 0;
  std::uint64_t ticket = 0;
};
/// There is no such child any more; its key will not come again.
struct forget_child {
  child_key child = 0;
};

/// The answer to a call.
struct reply {
  std::uint64_t ticket = 0;
  call_answer answer{};
};

// One of the following three is the very last action; no child is left by then.

/// It stopped as it was asked to, by its parent or by its spec's auto_shutdown.
struct stopped {
  std::string reason{};
};
/// A child could not be started at boot; those before it have been stopped.
struct report_failed_start {
  std::string child_id{};
  std::string reason{};
};
/// The restart intensity was exceeded.
struct give_up {
  std::string reason{};
};

using action = std::variant<start_child, stop_child, arm_timer, note, report_up, adopt_child,
                            forget_child, reply, stopped, report_failed_start, give_up>;
using actions = std::vector<action>;

} // namespace coppice::supervising
