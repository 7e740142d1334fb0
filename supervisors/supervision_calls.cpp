// Calls: what is asked of a running supervisor. Where OTP's supervisor would block until the child
// has started or ended, the answer waits, and everything else goes on.
#include <coppice/supervisors/supervision.hpp>
#include <coppice/supervisors/validate.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace coppice {
namespace {

call_answer refuse(call_error code, const std::string& what, const std::string& more = {}) {
  std::string text = fmt::format("{}: {}", what, to_string(code));
  if (!more.empty()) text += ": " + more;
  return refused(code, std::move(text));
}

child_info info_of(const supervised_child& child) {
  return {.id = child.spec.id,
          .type = child.spec.type,
          .state = child.state,
          .incarnation = child.incarnation,
          .pid = is_alive(child.state) ? child.pid : 0,
          .degraded = child.degraded,
          .why = child.deaths.empty() ? ""
                                      : to_text(child.deaths.last(), child.own_intensity.limit())};
}

std::string why_not_up(const supervised_child& child) {
  const bool asked = child.deaths.empty() || child.deaths.last().asked;
  return asked ? "stopped before it was ready" : child.deaths.last().ending.reason;
}

/// What keeps a child from being restarted or deleted by a call: both want one that is down.
std::optional<call_error> why_not_at_rest(const supervised_child& child) {
  if (child.number != 0) return call_error::dynamic_child;
  if (is_alive(child.state) || child.second) return call_error::running;
  if (is_restarting(child.state)) return call_error::restarting;
  return std::nullopt;
}

} // namespace

void supervision::on_call(const supervising::call& call) {
  if (state_ == supervisor_state::stopping || state_ == supervisor_state::ended)
    return answer(call.ticket,
                  refuse(call_error::shutting_down, std::string{name_of(call.what)}, id_));
  std::visit([&](const auto& what) { on_call(call.ticket, what); }, call.what);
}

// ---- starting -----------------------------------------------------------------------------------

void supervision::on_call(std::uint64_t ticket, const calls::start_child& what) {
  if (template_) {
    if (what.spec)
      return answer(ticket, refuse(call_error::invalid_spec, "start_child " + what.spec->id,
                                   id_ + " makes its children from its template"));
    if (dynamic_children() >= template_->max_children)
      return answer(ticket, refuse(call_error::max_children, "start_child",
                                   fmt::format("{} has {}", id_, dynamic_children())));
    return start_new(add_dynamic(ticket), ticket, trial::new_child);
  }
  if (!what.spec)
    return answer(ticket, refuse(call_error::invalid_spec, "start_child", "no spec is given"));
  const std::string about = "start_child " + what.spec->id;
  const auto errors = validate(spec_, std::span{&*what.spec, 1});
  if (!errors.empty()) // before anything else, as in OTP
    return answer(ticket, refuse(call_error::invalid_spec, about, errors.front().message()));
  if (const auto known = children_.key_of(what.spec->id))
    return answer(ticket, refuse(is_alive(children_[*known].state) ? call_error::already_started
                                                                   : call_error::already_present,
                                 about));
  supervised_child& added = children_.add(*what.spec, spec_.intensity);
  out_.emplace_back(supervising::adopt_child{added.key, ticket});
  start_new(added, ticket, trial::new_child);
}

void supervision::on_call(std::uint64_t ticket, const calls::restart_child& what) {
  const std::string about = "restart_child " + what.id;
  const auto key = children_.key_of(what.id);
  if (!key) return answer(ticket, refuse(call_error::not_found, about));
  supervised_child& child = *children_.find(*key);
  if (const auto error = why_not_at_rest(child)) return answer(ticket, refuse(*error, about));
  start_new(child, ticket, trial::known);
}

void supervision::start_new(supervised_child& child, std::uint64_t ticket, trial how) {
  child.booted = true; // the supervisor's own boot does not wait for it
  child.on_trial = how;
  waiting_calls_.push_back({ticket, child.key, waiting_call::until::up});
  start_in_turn(child);
}

/// After those that wait already, where the order counts: at boot, and within a group.
void supervision::start_in_turn(supervised_child& child) {
  const bool ordered = spec_.strategy != restart_strategy::one_for_one;
  if (in_group(child)) {
    child.returns = true;
    return enter(child, child_state::waiting);
  }
  if (!ordered && state_ == supervisor_state::running) return queue_start(child);
  enter(child, child_state::waiting);
  queue_.push_back(child.key);
}

/// The first start that a call has asked for has failed: the caller is told, and that is all.
void supervision::fail_trial(supervised_child& child, const ending& how) {
  report_end(child, how, report_context::start_error);
  const bool done = how.how == ending::well && child.spec.restart != restart_type::permanent;
  const bool forget = child.on_trial == trial::new_child && !done;
  child.on_trial = trial::no;
  child.returns = false;
  if (forget)
    enter(child, child_state::removed);
  else
    stay_ended(child);
  if (group_) continue_group();
}

// ---- stopping -----------------------------------------------------------------------------------

void supervision::on_call(std::uint64_t ticket, const calls::stop_child& what) {
  const auto key = children_.key_of(what.id);
  if (!key) return answer(ticket, refuse(call_error::not_found, "stop_child " + what.id));
  supervised_child& child = *children_.find(*key);
  if (!is_alive(child.state) && !is_restarting(child.state) && !child.second)
    return answer(ticket, call_value{});
  waiting_calls_.push_back({ticket, child.key, waiting_call::until::gone});
  stop_one(child);
}

void supervision::stop_one(supervised_child& child) {
  const bool grouped = in_group(child);
  child.returns = false;
  child.retires.reset(); // it is not to come back from that, either
  if (child.second) happen(*child.second, child_event::stop);
  // In a group that goes down its turn comes by itself.
  if (!grouped || !is_alive(child.state)) happen(child, child_event::stop);
  if (grouped) continue_group();
}

void supervision::on_call(std::uint64_t ticket, const calls::delete_child& what) {
  const std::string about = "delete_child " + what.id;
  const auto key = children_.key_of(what.id);
  if (!key) return answer(ticket, refuse(call_error::not_found, about));
  supervised_child& child = *children_.find(*key);
  if (const auto error = why_not_at_rest(child)) return answer(ticket, refuse(*error, about));
  enter(child, child_state::removed);
  answer(ticket, call_value{});
}

// ---- looking ------------------------------------------------------------------------------------

void supervision::on_call(std::uint64_t ticket, const calls::which_children&) {
  std::vector<child_info> all;
  for (const supervised_child& child : children_) all.push_back(info_of(child));
  answer(ticket, call_value{std::move(all)});
}

void supervision::on_call(std::uint64_t ticket, const calls::count_children&) {
  child_counts counts;
  for (const supervised_child& child : children_) {
    ++counts.specs;
    if (is_alive(child.state)) ++counts.active;
    ++(child.spec.type == child_type::supervisor ? counts.supervisors : counts.workers);
  }
  answer(ticket, call_value{counts});
}

void supervision::on_call(std::uint64_t ticket, const calls::get_child_spec& what) {
  const auto key = children_.key_of(what.id);
  if (!key) return answer(ticket, refuse(call_error::not_found, "get_child_spec " + what.id));
  answer(ticket, call_value{children_[*key].spec});
}

// ---- answers ------------------------------------------------------------------------------------

void supervision::answer(std::uint64_t ticket, call_answer with) {
  out_.emplace_back(supervising::reply{ticket, std::move(with)});
}

/// The child's state has changed: whoever waited for that is told.
void supervision::answer_waiting(supervised_child& child) {
  using until = waiting_call::until;
  if (waiting_calls_.empty() || child.state == child_state::starting) return;
  const bool up = child.state == child_state::up;
  const bool gone = child.state == child_state::down || child.state == child_state::removed;
  std::erase_if(waiting_calls_, [&](const waiting_call& call) {
    if (call.child != child.key) return false;
    if (call.what == until::gone) {
      if (is_alive(child.state) || child.second) return false;
      answer(call.ticket, call_value{});
    } else {
      if (!up && !gone) return false;
      const bool well = up || (!child.deaths.empty() && !child.deaths.last().asked &&
                               child.deaths.last().ending.how == ending::well);
      if (well)
        answer(call.ticket, call_value{info_of(child)});
      else
        answer(call.ticket, refuse(call_error::start_failed, child.spec.id, why_not_up(child)));
    }
    return true;
  });
}

} // namespace coppice
