// How children end, and what follows from it.
#include <coppice/supervisors/supervision.hpp>

#include <fmt/format.h>

#include <utility>

namespace coppice {

/// It never was ready. At boot that is a boot failure, not the beginning of a crash loop.
void supervision::fail_start(std::size_t index, ending how) {
  supervised_child& child = children_[index];
  if (child.state == child_state::timing_out) {
    how.how = ending::start_failed;
    how.reason = "not ready within " + to_text(now_ - child.started_at);
  } else if (how.how != ending::start_failed) {
    how.reason += ", before it was ready";
  }
  record_death(index, how, false);
  // A run-once job may be done before anybody asks whether it is ready.
  const bool done = how.how == ending::well && child.spec.restart != restart_type::permanent;
  if (state_ != supervisor_state::booting || child.booted || done)
    return decide_restart(index, how, false, report_context::start_error);

  stay_ended(index);
  report(report_about(index, report_context::start_error, how.reason));
  failed_child_ = index;
  begin_stop(stop_cause::failed_boot, how.reason);
}

void supervision::die(std::size_t index, const ending& how) {
  record_death(index, how, false);
  decide_restart(index, how, made_progress(children_[index], how),
                 report_context::child_terminated);
}

/// The end that was asked for; whatever it looked like, it counts as well.
void supervision::settle(std::size_t index, const ending& how) {
  const supervised_child& child = children_[index];
  record_death(index, how, true);
  const bool killed_late =
      child.state == child_state::killing && !shutdown_of(child.spec).is_brutal();
  if (killed_late || how.how != ending::well)
    report(report_about(index, report_context::shutdown_error,
                        killed_late ? "killed: " + how.reason : how.reason));
  stay_ended(index);
  if (state_ == supervisor_state::stopping) continue_stop();
}

void supervision::decide_restart(std::size_t index, const ending& how, bool progress,
                                 report_context context) {
  if (state_ == supervisor_state::stopping) { // it ended just before it was asked to
    stay_ended(index);
    return continue_stop();
  }
  if (wants_restart(children_[index].spec, how)) return restart(index, how, progress, context);

  supervisor_report ended = report_about(index, context, how.reason);
  ended.uptime = children_[index].deaths.last().uptime;
  ended.well = how.how == ending::well;
  report(std::move(ended));
  stay_ended(index);
  pass_boot(index);
  if (children_[index].spec.significant) shut_down_for_significant(index);
  if (state_ == supervisor_state::stopping) return;
  start_next();
}

/// Who is started anew because of this death, and when. Under one_for_one nobody else is touched.
void supervision::restart(std::size_t index, const ending& how, bool progress,
                          report_context context) {
  supervised_child& child = children_[index];
  const bool per_slot = spec_.on_exceeded == exceeded_policy::degrade;
  restart_intensity& intensity = per_slot ? child.own_intensity : intensity_;
  const bool within = (per_slot && progress) || intensity.add(now_);
  monotonic_duration delay = child.streak.after_death(child.spec.backoff, progress, random_);

  if (per_slot) {
    child.degraded = !progress && (child.degraded || !within);
    if (child.degraded) {
      delay = jittered(child.spec.backoff, child.spec.backoff.max, random_);
      context = report_context::degraded;
    }
  }

  supervisor_report restarted = report_about(index, context, how.reason);
  restarted.uptime = child.deaths.last().uptime;
  restarted.well = how.how == ending::well;
  restarted.count = {intensity.count(now_), intensity.limit().restarts, intensity.limit().period};

  if (!within && !per_slot) {
    report(std::move(restarted));
    stay_ended(index);
    return begin_stop(stop_cause::intensity,
                      fmt::format("more than {} restarts in {}, the last because {} ended: {}",
                                  intensity.limit().restarts, to_text(intensity.limit().period),
                                  child.spec.id, how.reason));
  }

  restarted.delay = delay;
  report(std::move(restarted));
  child.deaths.note_restart(delay);
  switch (spec_.strategy) {
  case restart_strategy::one_for_one:
    if (delay <= monotonic_duration::zero()) {
      queue_start(index);
    } else {
      enter(index, child_state::backing_off);
      arm(index, now_ + delay);
    }
    break;
  }
  start_next(); // this one no longer is starting
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
void supervision::stay_ended(std::size_t index) {
  const supervised_child& child = children_[index];
  const bool forget = child.spec.restart == restart_type::temporary && child.incarnation > 0;
  enter(index, forget ? child_state::removed : child_state::down);
}

void supervision::record_death(std::size_t index, const ending& how, bool asked) {
  supervised_child& child = children_[index];
  death one{.when = now_,
            .incarnation = child.incarnation,
            .ending = how,
            .uptime = now_ - child.started_at,
            .was_ready = child.was_ready,
            .asked = asked};
  if (one.ending.pid == 0) one.ending.pid = child.pid;
  child.pid = one.ending.pid; // the reports about this end name it
  child.deaths.add(std::move(one));
}

} // namespace coppice
