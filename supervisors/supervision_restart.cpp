// How children end, and what follows from it.
#include <coppice/supervisors/supervision.hpp>

#include <algorithm>
#include <fmt/format.h>

#include <utility>

namespace coppice {

/// It never was ready. At boot that is a boot failure, not the beginning of a crash loop.
void supervision::fail_start(supervised_child& child, ending how) {
  if (child.state == child_state::timing_out) {
    how.how = ending::start_failed;
    how.reason = "not ready within " + to_text(now_ - child.started_at);
  } else if (how.how != ending::start_failed) {
    how.reason += ", before it was ready";
  }
  if (child.is_second) return fail_successor(slot_of(child), std::move(how));
  record_death(child, how, false);
  if (child.on_trial != trial::no && state_ != supervisor_state::stopping)
    return fail_trial(child, how);
  // A run-once job may be done before anybody asks whether it is ready.
  const bool done = how.how == ending::well && child.spec.restart != restart_type::permanent;
  if (state_ != supervisor_state::booting || child.booted || done)
    return decide_restart(child, how, false, report_context::start_error);

  stay_ended(child);
  report(report_about(child, report_context::start_error, how.reason));
  failed_child_ = child.spec.id;
  begin_stop(stop_cause::failed_boot, how.reason);
}

void supervision::die(supervised_child& child, const ending& how) {
  record_death(child, how, false);
  if (child.second && inherit(child, how)) return;
  decide_restart(child, how, made_progress(child, how), report_context::child_terminated);
}

/// The end that was asked for; whatever it looked like, it counts as well.
void supervision::settle(supervised_child& child, const ending& how) {
  if (child.is_second) return lose_second(slot_of(child), how);
  const auto retires = std::exchange(child.retires, std::nullopt);
  const bool replaced =
      retires && retires->stopped && state_ != supervisor_state::stopping && !in_group(child);
  if (replaced && retires->failed) // stopped because it had failed: it counts as that
    return die(child, {ending::abnormal, retires->reason, how.progress, how.pid});
  record_death(child, how, true);
  const bool killed_late =
      child.state == child_state::killing && !shutdown_of(child.spec).is_brutal();
  if (killed_late || how.how != ending::well)
    report(report_about(child, report_context::shutdown_error,
                        killed_late ? "killed: " + how.reason : how.reason));
  if (in_group(child)) return end_in_group(child);
  if (replaced && child.spec.restart != restart_type::temporary) return queue_start(child);
  stay_ended(child);
  if (state_ == supervisor_state::stopping) continue_stop();
}

void supervision::decide_restart(supervised_child& child, const ending& how, bool progress,
                                 report_context context) {
  if (state_ == supervisor_state::stopping) { // it ended just before it was asked to
    stay_ended(child);
    return continue_stop();
  }
  if (in_group(child)) { // the same
    report_end(child, how, context);
    return end_in_group(child);
  }
  if (wants_restart(child.spec, how)) return restart(child, how, progress, context);

  report_end(child, how, context);
  stay_ended(child);
  if (child.spec.significant) shut_down_for_significant(child);
}

/// Who is started anew because of this death, and when.
void supervision::restart(supervised_child& child, const ending& how, bool progress,
                          report_context context) {
  supervisor_report restarted = report_about(child, context, how.reason);
  restarted.uptime = child.deaths.last().uptime;
  const auto [allowed, delay] = count_restart(child, how, progress, std::move(restarted));
  if (!allowed) {
    stay_ended(child);
    return give_up_over(child, how);
  }
  note_restart(child, delay);
  restart_alone_or_with_group(child, delay);
}

/// Counts one restart and reports it.
supervision::restart_verdict supervision::count_restart(supervised_child& child, const ending& how,
                                                        bool progress, supervisor_report about) {
  const bool per_slot = spec_.on_exceeded == exceeded_policy::degrade;
  restart_intensity& intensity = intensity_of(child);
  const bool within = (per_slot && progress) || intensity.add(now_);
  monotonic_duration delay = child.streak.after_death(child.spec.backoff, progress, random_);

  if (per_slot) {
    child.degraded = !progress && (child.degraded || !within);
    if (child.degraded) {
      const bool serves_on = about.context == report_context::retires;
      const auto wait = !serves_on && is_last_hope(child)
                            ? std::min(backoff::last_hope, child.spec.backoff.max)
                            : child.spec.backoff.max;
      delay = jittered(child.spec.backoff, wait, random_);
      about.context = report_context::degraded;
    }
  }

  about.well = how.how == ending::well;
  about.count = {intensity.count(now_), intensity.limit().restarts, intensity.limit().period};
  const bool allowed = within || per_slot;
  if (allowed) about.delay = delay;
  report(std::move(about));
  return {allowed, delay};
}

restart_intensity& supervision::intensity_of(supervised_child& child) {
  return spec_.on_exceeded == exceeded_policy::degrade ? child.own_intensity : intensity_;
}

/// Its last death is followed by a start, `delay` later.
void supervision::note_restart(supervised_child& child, monotonic_duration delay) {
  child.deaths.note_restart(delay, intensity_of(child).count(now_));
}

void supervision::give_up_over(const supervised_child& child, const ending& how) {
  const restart_limit& limit = intensity_.limit();
  begin_stop(stop_cause::intensity,
             fmt::format("more than {} restarts in {}, the last because {} ended: {}",
                         limit.restarts, to_text(limit.period), child.spec.id, how.reason));
}

void supervision::restart_alone_or_with_group(supervised_child& child, monotonic_duration delay) {
  switch (spec_.strategy) {
  case restart_strategy::one_for_one:
    if (delay <= monotonic_duration::zero())
      queue_start(child);
    else
      wait_for(child, delay);
    return;
  case restart_strategy::one_for_all:
    return restart_group((*children_.begin()).key, child, delay);
  case restart_strategy::rest_for_one:
    return restart_group(child.key, child, delay);
  }
}

/// Nobody else serves, or is about to: clients wait for this one.
bool supervision::is_last_hope(const supervised_child& child) const {
  return std::ranges::none_of(children_, [&](const supervised_child& other) {
    const bool alike = (other.number == 0) == (child.number == 0); // a pool has its dispatcher, too
    return alike && other.key != child.key &&
           (is_alive(other.state) || (is_restarting(other.state) && !other.degraded));
  });
}

bool supervision::wants_restart(const child_spec& spec, const ending& how) const {
  switch (spec.restart) {
  case restart_type::permanent:
    return true;
  case restart_type::transient:
    return how.how != ending::well;
  case restart_type::temporary:
    return false;
  }
  return false;
}

bool supervision::made_progress(const supervised_child& child, const ending& how) const {
  return child.was_ready &&
         (how.progress || now_ - child.ready_at >= child.spec.backoff.stable_after);
}

/// Nothing of it exists, and it will not be started by itself again.
void supervision::stay_ended(supervised_child& child) {
  if (child.is_second) return drop_successor(slot_of(child));
  child.on_trial = trial::no;
  // While a predecessor is there, so is the child.
  enter(child, is_forgotten(child) && !child.second ? child_state::removed : child_state::down);
}

/// Once it has ended for good.
bool supervision::is_forgotten(const supervised_child& child) {
  return child.spec.restart == restart_type::temporary || child.number != 0;
}

void supervision::record_death(supervised_child& child, const ending& how, bool asked) {
  death one{.when = now_,
            .incarnation = child.incarnation,
            .ending = how,
            .uptime = now_ - child.started_at,
            .was_ready = child.was_ready,
            .asked = asked};
  if (one.ending.pid == 0) one.ending.pid = child.pid;
  child.pid = one.ending.pid; // the reports about this end name it
  slot_of(child).deaths.add(one);
}

/// An end that nobody asked for and that no restart of its own follows.
void supervision::report_end(const supervised_child& child, const ending& how,
                             report_context context) {
  supervisor_report ended = report_about(child, context, how.reason);
  ended.uptime = child.deaths.last().uptime;
  ended.well = how.how == ending::well;
  report(std::move(ended));
}

} // namespace coppice
