// Replacements: a child that is to go although nothing has killed it (it asked for it, it has
// reached a limit, it has failed and serves on) is replaced by a successor. Here, and nowhere else,
// two incarnations of one child exist at a time; never three.
//
//   up --retires--> its successor waits, backs off, starts (child.second), while it serves on
//      --the successor is ready--> the successor is the child; the predecessor (child.second) is
//                                  asked to stop, with the child's shutdown
//      --the predecessor is gone--> over
//
// - The successor cannot start, or is not ready in time: the child stays, and it is tried again
//   after the child's backoff (100 ms to 30 s where that is none). It counts as no restart.
// - The child dies meanwhile: a successor that exists takes its place as it is; otherwise the child
//   is restarted as after any death. The death counts as what it is; an end in good order, which
//   the child had announced, counts as none.
// - Another wish to retire while a predecessor still stops waits until that is gone. Further wishes
//   of the same incarnation are ignored.
// - A stop, a hurry, a kill, the restart of its group: mean both incarnations.
// - A wish to retire that is a failure counts as an abnormal end at once. The wait of the backoff
//   comes before the successor's start, and one failure too many ends the supervisor. Under
//   one_for_all and rest_for_one the child is stopped, and what follows is what follows a death.
// - replacement::stop_first: the child is stopped, and started again when it is gone.
// - Temporary children are only stopped.
#include <coppice/supervisors/supervision.hpp>

#include <memory>
#include <utility>

namespace coppice {

void supervision::on_retires(const supervising::child_retires& what) {
  supervised_child* child = children_.find(what.child);
  if (!child || child->incarnation != what.incarnation) return;
  if (child->state != child_state::up || child->retires || in_group(*child)) return;
  if (state_ == supervisor_state::stopping) return;

  const bool failed = what.how.how != ending::well;
  child->retires = retirement{what.how.reason, failed};
  supervisor_report about = report_about(*child, report_context::retires, what.how.reason);
  about.uptime = now_ - child->started_at;
  about.well = !failed;

  const bool at_once = child->spec.replacement == replacement::stop_first ||
                       child->spec.restart == restart_type::temporary ||
                       (failed && spec_.strategy != restart_strategy::one_for_one);
  if (!failed || at_once) report(about);
  child->retires->stopped = at_once;
  if (at_once) return ask(*child);
  if (!failed) return replace(*child, monotonic_duration::zero());

  const auto [allowed, delay] =
      count_restart(*child, what.how, made_progress(*child, what.how), std::move(about));
  if (!allowed) return give_up_over(*child, what.how);
  replace(*child, delay);
}

/// Its successor is to start, unless a predecessor is still there.
void supervision::replace(supervised_child& child, monotonic_duration delay) {
  if (child.second) return;
  child.second = std::make_unique<supervised_child>(child.key, child.spec, restart_limit{});
  supervised_child& successor = *child.second;
  successor.is_second = true;
  successor.booted = true;
  if (delay > monotonic_duration::zero())
    wait_for(successor, delay);
  else
    queue_start(successor);
}

/// The successor is ready: from now on it is the child.
void supervision::take_over(supervised_child& child) {
  supervised_child& second = *child.second;
  enter(second, child_state::up);
  std::swap(child.incarnation, second.incarnation);
  std::swap(child.pid, second.pid);
  std::swap(child.started_at, second.started_at);
  std::swap(child.was_ready, second.was_ready);
  std::swap(child.retires, second.retires);
  second.ready_at = child.ready_at;
  come_up(child);
  ask(second);
}

/// The successor never was ready.
void supervision::fail_successor(supervised_child& child, ending how) {
  if (state_ == supervisor_state::stopping || in_group(child)) return lose_second(child, how);
  supervised_child& successor = *child.second;
  record_death(successor, how, false);
  const backoff waits = child.spec.backoff.is_none() ? backoff{} : child.spec.backoff;
  const monotonic_duration delay = successor.streak.after_death(waits, false, random_);
  note_restart(child, delay);
  supervisor_report failed =
      report_about(successor, report_context::start_error, std::move(how.reason));
  failed.uptime = now_ - successor.started_at;
  failed.delay = delay;
  report(std::move(failed));
  wait_for(successor, delay);
}

/// The second incarnation was asked to stop, and is gone.
void supervision::lose_second(supervised_child& child, const ending& how) {
  supervised_child& second = *child.second;
  const bool killed_late =
      second.state == child_state::killing && !shutdown_of(child.spec).is_brutal();
  ending told = how;
  if (second.retires) told.reason = "replaced: " + second.retires->reason + "; " + how.reason;
  record_death(second, told, true);
  if (killed_late || how.how != ending::well)
    report(report_about(second, report_context::shutdown_error,
                        killed_late ? "killed: " + how.reason : how.reason));
  enter(second, child_state::down);
  child.second.reset();
  answer_waiting(child);
  if (child.state == child_state::down && is_forgotten(child)) enter(child, child_state::removed);
  if (state_ == supervisor_state::stopping) return continue_stop();
  if (in_group(child)) return continue_group();
  if (child.state == child_state::up && child.retires) // it has waited for this
    replace(child, monotonic_duration::zero());
}

/// A successor of which nothing exists is not wanted any more.
void supervision::drop_successor(supervised_child& child) {
  enter(*child.second, child_state::down);
  child.second.reset();
  answer_waiting(child);
}

/// The child has died while there were two of it. True: nothing else need follow.
bool supervision::inherit(supervised_child& child, const ending& how) {
  supervised_child& second = *child.second;
  const bool stops = state_ == supervisor_state::stopping || in_group(child);
  const bool exists =
      second.state == child_state::starting || second.state == child_state::timing_out;
  const bool is_successor =
      exists || second.state == child_state::waiting || second.state == child_state::backing_off;
  if (stops || !is_successor) return false;
  if (!exists) drop_successor(child);
  if (how.how == ending::well) {
    report_end(child, how, report_context::child_terminated);
    if (!exists) return queue_start(child), true;
  } else {
    // In a group everything stops and starts again, the successor too.
    if (!exists || spec_.strategy != restart_strategy::one_for_one) return false;
    supervisor_report about = report_about(child, report_context::child_terminated, how.reason);
    about.uptime = child.deaths.last().uptime;
    const auto verdict = count_restart(child, how, made_progress(child, how), std::move(about));
    if (!verdict.allowed) {
      stay_ended(child);
      return give_up_over(child, how), true;
    }
    note_restart(child, monotonic_duration::zero());
  }
  child.state = second.state; // counted as starting already
  child.incarnation = second.incarnation;
  child.pid = second.pid;
  child.started_at = second.started_at;
  child.was_ready = false;
  child.retires.reset();
  child.timer = 0;
  const bool armed = second.timer != 0;
  const monotonic_time due = second.timer_due;
  child.second.reset();
  if (armed) arm(child, due);
  answer_waiting(child);
  return true;
}

supervised_child& supervision::slot_of(supervised_child& either) {
  return either.is_second ? *children_.find(either.key) : either;
}

} // namespace coppice
