// How children start.
#include <coppice/supervisors/supervision.hpp>

#include <algorithm>

namespace coppice {

/// At boot one child starts at a time, or max_starting of them. A restart waits for its turn only
/// where children start in parallel: elsewhere a slow start must not hold up somebody else's.
void supervision::queue_start(supervised_child& child) {
  if (!spec_.parallel_start) return start(child);
  enter(child, child_state::waiting);
  queue_.push_back(child.key);
}

/// After every event: whoever came up or ended may have made room.
void supervision::start_next() {
  const std::size_t most = spec_.parallel_start ? std::max(spec_.max_starting, 1U) : 1;
  while (!queue_.empty() && starting_ < most) {
    supervised_child* child = children_.find(queue_.front());
    queue_.pop_front();
    if (child && child->second && child->second->state == child_state::waiting)
      child = child->second.get();
    if (child) happen(*child, child_event::start);
  }
}

void supervision::start(supervised_child& child) {
  enter(child, child_state::starting);
  child.incarnation = ++slot_of(child).started;
  child.pid = 0;
  child.retires.reset();
  child.was_ready = false;
  child.started_at = now_;
  out_.emplace_back(supervising::start_child{child.key, child.incarnation});
  if (const auto timeout = ready_timeout_of(child.spec)) arm(child, now_ + *timeout);
}

void supervision::come_up(supervised_child& child) {
  if (child.is_second) return take_over(slot_of(child));
  enter(child, child_state::up);
  child.on_trial = trial::no;
  child.was_ready = true;
  child.ready_at = now_;
  if (child.degraded) arm(child, now_ + child.spec.backoff.stable_after);
  supervisor_report started = report_about(child, report_context::started, "");
  started.uptime = now_ - child.started_at;
  report(std::move(started));
}

void supervision::time_out(supervised_child& child) {
  enter(child, child_state::timing_out);
  out_.emplace_back(
      supervising::stop_child{child.key, child.incarnation, supervising::stop_mode::kill});
}

/// The wait after a death is over.
void supervision::try_again(supervised_child& child) {
  if (!in_group(child)) return queue_start(child);
  enter(child, child_state::waiting);
  continue_group();
}

void supervision::prove(supervised_child& child) {
  child.degraded = false;
  supervisor_report recovered = report_about(child, report_context::recovered, "");
  recovered.uptime = now_ - child.started_at;
  report(std::move(recovered));
}

/// The boot is over when every child has been ready once, or needs no start by itself any more.
void supervision::announce_boot() {
  if (state_ != supervisor_state::booting || booting_ > 0) return;
  state_ = supervisor_state::running;
  out_.emplace_back(supervising::report_up{});
}

} // namespace coppice
