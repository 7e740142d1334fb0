// Events, and how children start. Their ends are in supervision_restart.cpp, stopping is in
// supervision_stop.cpp.
#include <coppice/supervisors/supervision.hpp>

#include <algorithm>
#include <utility>

namespace coppice {
namespace {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};

} // namespace

std::string_view to_string(supervisor_state state) noexcept {
  switch (state) {
  case supervisor_state::idle:
    return "idle";
  case supervisor_state::booting:
    return "booting";
  case supervisor_state::running:
    return "running";
  case supervisor_state::stopping:
    return "stopping";
  case supervisor_state::ended:
    return "ended";
  }
  return "unknown";
}

supervision::supervision(std::string id, supervisor_spec spec, std::vector<child_spec> children,
                         std::uint64_t seed)
    : id_{std::move(id)},
      spec_{spec},
      random_{seed},
      intensity_{spec.intensity} {
  children_.reserve(children.size());
  for (child_spec& child : children) children_.emplace_back(std::move(child), spec.intensity);
}

std::optional<std::size_t> supervision::index_of(std::string_view child_id) const {
  const auto found = std::ranges::find_if(children_, [&](const supervised_child& child) {
    return child.spec.id == child_id && child.state != child_state::removed;
  });
  if (found == children_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - children_.begin());
}

supervising::actions supervision::decide(const supervising::event& what, monotonic_time now) {
  now_ = now;
  if (state_ != supervisor_state::ended) {
    std::visit(overloaded{
                   [&](const supervising::begin&) { on_begin(); },
                   [&](const supervising::child_ready& e) { on_ready(e); },
                   [&](const supervising::child_ended& e) { on_ended(e); },
                   [&](const supervising::timer_due& e) { on_timer(e); },
                   [&](const supervising::stop_requested&) { on_stop(); },
                   [&](const supervising::hurry& e) { on_hurry(e.limit); },
                   [&](const supervising::kill&) { on_kill(); },
               },
               what);
  }
  return std::exchange(out_, {});
}

// ---- events -----------------------------------------------------------------------------------

void supervision::on_begin() {
  if (state_ != supervisor_state::idle) return;
  state_ = supervisor_state::booting;
  booting_ = children_.size();
  for (std::size_t i = 0; i < children_.size(); ++i) queue_.push_back(i);
  start_next();
  if (booting_ == 0) { // there are none
    state_ = supervisor_state::running;
    out_.emplace_back(supervising::report_up{});
  }
}

void supervision::on_ready(const supervising::child_ready& what) {
  if (what.child >= children_.size()) return;
  supervised_child& child = children_[what.child];
  if (what.incarnation != child.incarnation || !is_alive(child.state)) return;
  child.pid = what.pid;
  happen(what.child, child_event::ready);
}

void supervision::on_ended(const supervising::child_ended& what) {
  if (what.child >= children_.size()) return;
  if (what.incarnation != children_[what.child].incarnation) return;
  ending how = what.ending;
  if (how.reason.empty()) how.reason = how.how == ending::well ? "a normal end" : "unknown";
  happen(what.child, child_event::ended, &how);
}

void supervision::on_timer(const supervising::timer_due& what) {
  if (what.token.child >= children_.size()) return;
  supervised_child& child = children_[what.token.child];
  if (what.token.serial == 0 || what.token.serial != child.timer) return;
  child.timer = 0;
  happen(what.token.child, child_event::timer);
}

void supervision::happen(std::size_t index, child_event event, const ending* how) {
  switch (react(children_[index].state, event)) {
  case reaction::ignore:
    return;
  case reaction::start:
    return start(index);
  case reaction::come_up:
    return come_up(index);
  case reaction::fail_start:
    return fail_start(index, *how);
  case reaction::die:
    return die(index, *how);
  case reaction::time_out:
    return time_out(index);
  case reaction::prove:
    return prove(index);
  case reaction::try_again:
    return queue_start(index);
  case reaction::ask:
    return ask(index);
  case reaction::hasten:
    return hasten(index);
  case reaction::kill:
    return tell_to_die(index);
  case reaction::take_over:
    return enter(index, child_state::killing);
  case reaction::settle:
    return settle(index, *how);
  case reaction::stay_down:
    return stay_ended(index);
  }
}

// ---- starting ---------------------------------------------------------------------------------

/// At boot one child starts at a time, or max_starting of them. A restart waits for its turn only
/// where children start in parallel: elsewhere a slow start must not hold up somebody else's.
void supervision::queue_start(std::size_t index) {
  if (!spec_.parallel_start) return start(index);
  enter(index, child_state::waiting);
  queue_.push_back(index);
  start_next();
}

void supervision::start_next() {
  const std::size_t most = spec_.parallel_start ? std::max(spec_.max_starting, 1U) : 1;
  while (!queue_.empty() && starting_ < most) {
    const std::size_t index = queue_.front();
    queue_.pop_front();
    happen(index, child_event::start);
  }
}

void supervision::start(std::size_t index) {
  enter(index, child_state::starting);
  supervised_child& child = children_[index];
  ++child.incarnation;
  child.pid = 0;
  child.was_ready = false;
  child.started_at = now_;
  out_.emplace_back(supervising::start_child{index, child.incarnation});
  if (const auto timeout = ready_timeout_of(child.spec)) arm(index, now_ + *timeout);
}

void supervision::come_up(std::size_t index) {
  enter(index, child_state::up);
  supervised_child& child = children_[index];
  child.was_ready = true;
  child.ready_at = now_;
  if (child.degraded) arm(index, now_ + child.spec.backoff.stable_after);
  supervisor_report started = report_about(index, report_context::started, "");
  started.uptime = now_ - child.started_at;
  report(std::move(started));
  pass_boot(index);
  start_next();
}

void supervision::pass_boot(std::size_t index) {
  if (children_[index].booted) return;
  children_[index].booted = true;
  --booting_;
  if (booting_ > 0 || state_ != supervisor_state::booting) return;
  state_ = supervisor_state::running;
  out_.emplace_back(supervising::report_up{});
}

void supervision::time_out(std::size_t index) {
  enter(index, child_state::timing_out);
  out_.emplace_back(supervising::stop_child{index, supervising::stop_mode::kill});
}

void supervision::prove(std::size_t index) {
  children_[index].degraded = false;
  supervisor_report recovered = report_about(index, report_context::recovered, "");
  recovered.uptime = now_ - children_[index].started_at;
  report(std::move(recovered));
}

// ---- timers and reports -----------------------------------------------------------------------

/// The one place where a child's state changes. The timer of the state that is left no longer
/// counts.
void supervision::enter(std::size_t index, child_state state) {
  supervised_child& child = children_[index];
  if (child.state == child_state::starting) --starting_;
  if (state == child_state::starting) ++starting_;
  child.state = state;
  child.timer = 0;
}

void supervision::arm(std::size_t index, monotonic_time due) {
  children_[index].timer = ++last_timer_;
  children_[index].timer_due = std::max(due, now_);
  out_.emplace_back(supervising::arm_timer{{index, last_timer_}, children_[index].timer_due});
}

void supervision::report(supervisor_report what) {
  out_.emplace_back(supervising::note{std::move(what)});
}

supervisor_report supervision::report_about(std::size_t index, report_context context,
                                            std::string reason) const {
  const supervised_child& child = children_[index];
  return {.supervisor = id_,
          .context = context,
          .reason = std::move(reason),
          .offender = supervisor_report::offender_info{child.spec.id, child.incarnation, child.pid,
                                                       child.spec.restart}};
}

} // namespace coppice
