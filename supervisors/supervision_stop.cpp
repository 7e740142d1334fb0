// Stopping: a state with deadlines, never a wait.
#include <coppice/supervisors/supervision.hpp>

#include <algorithm>
#include <ranges>
#include <utility>

namespace coppice {

void supervision::on_stop() {
  switch (state_) {
  case supervisor_state::idle:
  case supervisor_state::booting:
  case supervisor_state::running:
    return begin_stop(stop_cause::asked, "shutdown");
  case supervisor_state::stopping:
  case supervisor_state::ended:
    return;
  }
}

void supervision::on_hurry(monotonic_duration limit) {
  const monotonic_time by = now_ + limit;
  stop_by_ = stop_by_ ? std::min(*stop_by_, by) : by;
  for (supervised_child& child : children_.all() | std::views::reverse)
    for (supervised_child* each : {&child, child.second.get()})
      if (each && each->state == child_state::stopping) happen(*each, child_event::hurry);
  on_stop();
}

void supervision::on_kill() {
  stop_by_ = now_;
  drop_group();
  for (supervised_child& child : children_.all() | std::views::reverse) {
    if (child.second) happen(*child.second, child_event::kill);
    happen(child, child_event::kill);
  }
  if (state_ != supervisor_state::stopping) on_stop();
}

void supervision::begin_stop(stop_cause cause, std::string reason) {
  if (state_ == supervisor_state::stopping) return;
  cause_ = cause;
  cause_text_ = std::move(reason);
  state_ = supervisor_state::stopping;
  queue_.clear();
  drop_group();
  if (cause != stop_cause::asked)
    report({.supervisor = id_, .context = report_context::shutdown, .reason = cause_text_});
  for (supervised_child& child : children_.all()) {
    if (child.second) happen(*child.second, child_event::stop);   // nobody depends on it yet
    if (!is_alive(child.state)) happen(child, child_event::stop); // drops the wish to start it
  }
  continue_stop();
}

/// In reverse order, the next one when the one before has ended; or all at once.
void supervision::continue_stop() {
  bool any = false;
  for (supervised_child& child : children_.all() | std::views::reverse) {
    if (!stop_all_of(child)) continue;
    any = true;
    if (!spec_.parallel_start) return;
  }
  if (!any) finish_stop();
}

/// Asks what exists of it to stop, both incarnations if there are two. False: nothing does.
bool supervision::stop_all_of(supervised_child& child) {
  if (child.second) happen(*child.second, child_event::stop); // or it is dropped
  if (is_alive(child.state)) happen(child, child_event::stop);
  return is_alive(child.state) || child.second;
}

void supervision::finish_stop() {
  state_ = supervisor_state::ended;
  switch (cause_) {
  case stop_cause::none:
  case stop_cause::asked:
  case stop_cause::significant_child:
    out_.emplace_back(supervising::stopped{cause_text_});
    return;
  case stop_cause::failed_boot:
    out_.emplace_back(supervising::report_failed_start{failed_child_, cause_text_});
    return;
  case stop_cause::intensity:
    out_.emplace_back(supervising::give_up{cause_text_});
    return;
  }
}

void supervision::ask(supervised_child& child) {
  const shutdown_time shutdown = shutdown_of(child.spec);
  if (shutdown.is_brutal()) return tell_to_die(child);
  enter(child, child_state::stopping);
  out_.emplace_back(supervising::stop_child{child.key, child.incarnation,
                                            stop_by_ ? supervising::stop_mode::hurry
                                                     : supervising::stop_mode::shutdown});
  std::optional<monotonic_time> due = stop_by_;
  if (const auto limit = shutdown.limit())
    due = std::min(due.value_or(now_ + *limit), now_ + *limit);
  if (due) arm(child, *due);
}

void supervision::hasten(supervised_child& child) {
  out_.emplace_back(
      supervising::stop_child{child.key, child.incarnation, supervising::stop_mode::hurry});
  if (child.timer == 0 || child.timer_due > *stop_by_) arm(child, *stop_by_);
}

void supervision::tell_to_die(supervised_child& child) {
  enter(child, child_state::killing);
  out_.emplace_back(
      supervising::stop_child{child.key, child.incarnation, supervising::stop_mode::kill});
}

/// auto_shutdown: a significant child ended by itself.
void supervision::shut_down_for_significant(const supervised_child& child) {
  const auto still_there = [](const supervised_child& other) {
    return other.spec.significant && other.state != child_state::down &&
           other.state != child_state::removed;
  };
  switch (spec_.auto_shutdown) {
  case auto_shutdown_policy::never:
    return;
  case auto_shutdown_policy::all_significant:
    if (std::ranges::any_of(children_, still_there)) return;
    break;
  case auto_shutdown_policy::any_significant:
    break;
  }
  begin_stop(stop_cause::significant_child, "significant child " + child.spec.id + " ended");
}

} // namespace coppice
