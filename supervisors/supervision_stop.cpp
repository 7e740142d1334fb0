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
  if (state_ != supervisor_state::stopping) return on_stop();
  for (std::size_t i = children_.size(); i-- > 0;)
    if (children_[i].state == child_state::stopping) happen(i, child_event::hurry);
}

void supervision::on_kill() {
  stop_by_ = now_;
  for (std::size_t i = children_.size(); i-- > 0;) happen(i, child_event::kill);
  if (state_ != supervisor_state::stopping) on_stop();
}

void supervision::begin_stop(stop_cause cause, std::string reason) {
  if (state_ == supervisor_state::stopping) return;
  cause_ = cause;
  cause_text_ = std::move(reason);
  state_ = supervisor_state::stopping;
  queue_.clear();
  if (cause != stop_cause::asked)
    report({.supervisor = id_, .context = report_context::shutdown, .reason = cause_text_});
  for (std::size_t i = 0; i < children_.size(); ++i)
    if (!is_alive(children_[i].state)) happen(i, child_event::stop); // drops the wish to start it
  continue_stop();
}

/// In reverse order, the next one when the one before has ended; or all at once.
void supervision::continue_stop() {
  bool any = false;
  for (std::size_t i = children_.size(); i-- > 0;) {
    if (!is_alive(children_[i].state)) continue;
    any = true;
    happen(i, child_event::stop);
    if (!spec_.parallel_start) return;
  }
  if (!any) finish_stop();
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

void supervision::ask(std::size_t index) {
  const shutdown_time shutdown = shutdown_of(children_[index].spec);
  if (shutdown.is_brutal()) return tell_to_die(index);
  enter(index, child_state::stopping);
  out_.emplace_back(supervising::stop_child{index, stop_by_ ? supervising::stop_mode::hurry
                                                            : supervising::stop_mode::shutdown});
  std::optional<monotonic_time> due = stop_by_;
  if (const auto limit = shutdown.limit())
    due = std::min(due.value_or(now_ + *limit), now_ + *limit);
  if (due) arm(index, *due);
}

void supervision::hasten(std::size_t index) {
  const supervised_child& child = children_[index];
  out_.emplace_back(supervising::stop_child{index, supervising::stop_mode::hurry});
  if (child.timer == 0 || child.timer_due > *stop_by_) arm(index, *stop_by_);
}

void supervision::tell_to_die(std::size_t index) {
  enter(index, child_state::killing);
  out_.emplace_back(supervising::stop_child{index, supervising::stop_mode::kill});
}

/// auto_shutdown: a significant child ended by itself.
void supervision::shut_down_for_significant(std::size_t index) {
  const auto still_there = [](const supervised_child& child) {
    return child.spec.significant && child.state != child_state::down &&
           child.state != child_state::removed;
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
  begin_stop(stop_cause::significant_child,
             "significant child " + children_[index].spec.id + " ended");
}

} // namespace coppice
