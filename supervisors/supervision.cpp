// Events, and what they have in common. What follows from them: supervision_start.cpp,
// supervision_restart.cpp, supervision_replace.cpp, supervision_group.cpp, supervision_stop.cpp.
#include <coppice/runtime/overloaded.hpp>
#include <coppice/supervisors/supervision.hpp>

#include <algorithm>
#include <utility>

namespace coppice {

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
  for (child_spec& child : children) children_.add(std::move(child), spec.intensity);
}

supervision::supervision(std::string id, supervisor_spec spec, std::vector<child_spec> children,
                         child_template dynamic, std::uint64_t seed)
    : supervision{std::move(id), spec, std::move(children), seed} {
  template_ = std::move(dynamic);
}

supervising::actions supervision::decide(const supervising::event& what, monotonic_time now) {
  now_ = now;
  if (state_ == supervisor_state::ended) {
    if (const auto* call = std::get_if<supervising::call>(&what)) on_call(*call);
  } else {
    std::visit(overloaded{
                   [&](const supervising::begin&) { on_begin(); },
                   [&](const supervising::child_ready& e) { on_ready(e); },
                   [&](const supervising::child_ended& e) { on_ended(e); },
                   [&](const supervising::child_retires& e) { on_retires(e); },
                   [&](const supervising::timer_due& e) { on_timer(e); },
                   [&](const supervising::stop_requested&) { on_stop(); },
                   [&](const supervising::hurry& e) { on_hurry(e.limit); },
                   [&](const supervising::kill&) { on_kill(); },
                   [&](const supervising::call& e) { on_call(e); },
               },
               what);
    start_next();
    announce_boot();
    forget_removed();
  }
  return std::exchange(out_, {});
}

// ---- events -----------------------------------------------------------------------------------

void supervision::on_begin() {
  if (state_ != supervisor_state::idle) return;
  state_ = supervisor_state::booting;
  for (unsigned i = 0; template_ && i < template_->initial; ++i) add_dynamic(0);
  booting_ = children_.size();
  for (const supervised_child& child : children_) queue_.push_back(child.key);
}

void supervision::on_ready(const supervising::child_ready& what) {
  supervised_child* child = find(what.child, what.incarnation);
  if (!child || !is_alive(child->state)) return;
  child->pid = what.pid;
  happen(*child, child_event::ready);
}

void supervision::on_ended(const supervising::child_ended& what) {
  supervised_child* child = find(what.child, what.incarnation);
  if (!child) return;
  ending how = what.ending;
  if (how.reason.empty()) how.reason = how.how == ending::well ? "a normal end" : "unknown";
  happen(*child, child_event::ended, &how);
}

void supervision::on_timer(const supervising::timer_due& what) {
  supervised_child* child = children_.find(what.token.child);
  if (child && what.token.second) child = child->second.get();
  if (!child || what.token.serial == 0 || what.token.serial != child->timer) return;
  child->timer = 0;
  happen(*child, child_event::timer);
}

/// Either incarnation of a child.
supervised_child* supervision::find(child_key key, std::uint64_t incarnation) {
  supervised_child* child = children_.find(key);
  if (child && child->second && child->second->incarnation == incarnation)
    return child->second.get();
  return child && child->incarnation == incarnation ? child : nullptr;
}

void supervision::happen(supervised_child& child, child_event event, const ending* how) {
  switch (react(child.state, event)) {
  case reaction::ignore:
    return;
  case reaction::start:
    return start(child);
  case reaction::come_up:
    return come_up(child);
  case reaction::fail_start:
    return fail_start(child, *how);
  case reaction::die:
    return die(child, *how);
  case reaction::time_out:
    return time_out(child);
  case reaction::prove:
    return prove(child);
  case reaction::try_again:
    return try_again(child);
  case reaction::ask:
    return ask(child);
  case reaction::hasten:
    return hasten(child);
  case reaction::kill:
    return tell_to_die(child);
  case reaction::take_over:
    return enter(child, child_state::killing);
  case reaction::settle:
    return settle(child, *how);
  case reaction::stay_down:
    return stay_ended(child);
  }
}

// ---- states, timers, reports ------------------------------------------------------------------

/// The one place where a child's state changes. The timer of the state that is left no longer
/// counts.
void supervision::enter(supervised_child& child, child_state state) {
  using enum child_state;
  const auto unready = [](child_state of) { return of == starting || of == timing_out; };
  if (unready(child.state)) --starting_;
  if (unready(state)) ++starting_;
  // Or its turn, when it came, would start one that has been stopped meanwhile.
  if (child.state == waiting && state != starting) std::erase(queue_, child.key);
  child.state = state;
  child.timer = 0;
  if (!child.booted && (state == up || state == down || state == removed)) {
    child.booted = true;
    if (booting_ > 0) --booting_;
  }
  if (state == removed) removed_.push_back(child.key);
  if (!child.is_second) answer_waiting(child);
}

/// Nothing of it exists; it is to be started so much later.
void supervision::wait_for(supervised_child& child, monotonic_duration delay) {
  enter(child, child_state::backing_off);
  arm(child, now_ + delay);
}

void supervision::arm(supervised_child& child, monotonic_time due) {
  child.timer = ++last_timer_;
  child.timer_due = std::max(due, now_);
  out_.emplace_back(
      supervising::arm_timer{{child.key, last_timer_, child.is_second}, child.timer_due});
}

/// Last of all, so that nobody is left with a child that is gone.
void supervision::forget_removed() {
  for (const child_key key : std::exchange(removed_, {})) {
    children_.erase(key);
    // Nobody need be told what comes after the supervisor's own end.
    if (state_ != supervisor_state::ended) out_.emplace_back(supervising::forget_child{key});
  }
}

void supervision::report(supervisor_report what) {
  out_.emplace_back(supervising::note{std::move(what)});
}

supervisor_report supervision::report_about(const supervised_child& child, report_context context,
                                            std::string reason) const {
  return {.supervisor = id_,
          .context = context,
          .reason = std::move(reason),
          .offender = supervisor_report::offender_info{child.spec.id, child.incarnation, child.pid,
                                                       child.spec.restart}};
}

} // namespace coppice
