#include "simulation.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace coppice::test {

supervision simulation::core_of(supervisor_spec spec, std::vector<child_spec> children,
                                std::uint64_t seed, const std::optional<child_template>& dynamic) {
  if (dynamic) return {"storm", spec, std::move(children), *dynamic, seed};
  return {"storm", spec, std::move(children), seed};
}

simulation::simulation(supervisor_spec spec, std::vector<child_spec> children, habits h,
                       std::uint64_t seed, const std::optional<child_template>& dynamic)
    : seed_{seed},
      core_{core_of(spec, std::move(children), seed, dynamic)},
      habits_{h},
      random_{seed ^ 0x9e3779b97f4a7c15U} {
  for (const supervised_child& each : core_.children()) slots_[each.key] = {};
  feed(supervising::begin{});
}

void simulation::run_until(monotonic_duration length) {
  const monotonic_time end = begin_ + length;
  while (final_word_.empty()) {
    monotonic_time next = end;
    if (!future_.empty()) next = std::min(next, future_.begin()->first);
    if (const auto timer = timers_.earliest()) next = std::min(next, *timer);
    next = std::max(next, now_);
    for (const auto& [key, each] : slots_)
      if (std::ranges::any_of(each.living, [](const auto& one) { return one.second.ready; }))
        time_up_ += next - now_;
    now_ = next;
    if (now_ >= end) return;
    for (const supervising::timer_token& token : timers_.take_due(now_))
      feed(supervising::timer_due{token});
    if (!future_.empty() && future_.begin()->first <= now_) {
      const happening what = std::move(future_.begin()->second);
      future_.erase(future_.begin());
      happen(what);
    }
  }
  check();
}

void simulation::ask(calls::request what) {
  if (!final_word_.empty()) return;
  unanswered_.insert(++last_ticket_);
  by_call_ = true;
  feed(supervising::call{last_ticket_, std::move(what)});
  by_call_ = false;
}

void simulation::act(const supervising::reply& what) {
  require(unanswered_.erase(what.ticket) == 1, "an answer that nobody waits for");
}

simulation::process* simulation::find(child_key key, std::uint64_t incarnation) {
  const auto known = slots_.find(key);
  if (known == slots_.end()) return nullptr;
  const auto found = known->second.living.find(incarnation);
  return found == known->second.living.end() ? nullptr : &found->second;
}

void simulation::happen(const happening& what) {
  if (!slots_.contains(what.child)) return; // removed
  if (what.plan != 0) {
    process* const child = find(what.child, what.incarnation);
    if (!child || what.plan != child->plan) return;
    if (std::holds_alternative<supervising::child_ready>(what.what)) {
      child->ready = true;
      auto& ready = slots_.at(what.child).ready;
      ready = std::max(ready, what.incarnation);
      child->progress = chance(habits_.useful);
      const bool ok = chance(habits_.ends_well);
      plan_end(what.child, what.incarnation, within(habits_.life),
               {ok ? ending::well : ending::abnormal, ok ? "exit code 0" : "SIGSEGV"});
      for (bool more = chance(habits_.retires); more; more = chance(habits_.retires / 2)) {
        const bool failed = chance(habits_.retires_failed);
        later(within(habits_.life),
              {supervising::child_retires{
                   what.child, what.incarnation, {failed ? ending::abnormal : ending::well, "old"}},
               what.child});
      }
    } else {
      if (!child->asked && !child->killed) ++faults_;
      slots_.at(what.child).living.erase(what.incarnation);
      if (chance(habits_.says_it_twice)) later(within(habits_.start), {what.what, what.child});
    }
  }
  if (const auto* wish = std::get_if<supervising::child_retires>(&what.what)) {
    auto& retired = slots_.at(what.child).retired;
    retired = std::max(retired, wish->incarnation);
  }
  feed(what.what);
}

void simulation::plan_end(child_key key, std::uint64_t incarnation, monotonic_duration after,
                          ending how) {
  process& child = *find(key, incarnation);
  child.plan = ++plans_;
  how.progress = child.ready && child.progress;
  later(after,
        {supervising::child_ended{key, incarnation, std::move(how)}, key, incarnation, child.plan});
}

void simulation::feed(const supervising::event& what) {
  for (const supervising::action& each : core_.decide(what, now_)) {
    require(final_word_.empty(), "an action after the final word");
    std::visit([this](const auto& one) { act(one); }, each);
  }
  check();
}

void simulation::act(const supervising::start_child& what) {
  slot& child = slots_.at(what.child);
  require(child.living.size() <= 1, "three incarnations of one child");
  require(child.living.empty() || core_.children()[what.child].second != nullptr,
          "two incarnations of one child, and no replacement");
  require(what.incarnation == child.last + 1, "incarnations do not count up by one");
  require(core_.state() != supervisor_state::stopping, "a start while stopping");
  const bool called = core_.children()[what.child].on_trial != trial::no;
  if (core_.spec().strategy != restart_strategy::one_for_one && !core_.spec().parallel_start &&
      !called && child.living.empty() && child.retired != child.ready) // who retires goes alone
    require(!any_alive_after(what.child), "started before what depends on it had ended");
  if (!child.living.empty()) ++replacements_;
  child.last = what.incarnation;
  process& born = child.living[what.incarnation];
  born.plan = ++plans_;
  born.stubborn = chance(habits_.ignores_stop);
  if (chance(habits_.fails_to_start))
    plan_end(what.child, what.incarnation, 0s, {ending::start_failed, "out of memory"});
  else if (chance(habits_.dies_in_start))
    plan_end(what.child, what.incarnation, within(habits_.start),
             {ending::abnormal, "exit code 1"});
  else if (!chance(habits_.never_ready))
    later(within(habits_.start), {supervising::child_ready{what.child, what.incarnation},
                                  what.child, what.incarnation, born.plan});
}

void simulation::act(const supervising::stop_child& what) {
  const supervised_child& known = core_.children()[what.child];
  process* const child = find(what.child, what.incarnation);
  require(child != nullptr || known.state != child_state::up, "a stop for nothing");
  if (!child) return;
  require(!child->killed, "a word to a child that has been killed");
  if (what.how == supervising::stop_mode::kill) {
    child->killed = true;
    plan_end(what.child, what.incarnation, within({0ms, 2ms}), {ending::abnormal, "SIGKILL"});
    return;
  }
  // Who is replaced is stopped in no order; nor does anybody depend on a successor.
  const bool replaced =
      known.incarnation != what.incarnation || (known.retires && known.retires->stopped);
  if (!core_.spec().parallel_start && !by_call_ && !replaced && !child->asked)
    require(!any_alive_after(what.child), "not stopped in reverse order");
  if (std::exchange(child->asked, true)) return;
  if (!child->stubborn)
    plan_end(what.child, what.incarnation, within(habits_.stop), {ending::well, "exit code 0"});
  else
    child->plan = ++plans_; // goes on for ever
}

void simulation::act(const supervising::arm_timer& what) { timers_.set(what.token, what.due); }

/// The intensity, counted anew from what is reported.
void simulation::act(const supervising::note& what) {
  if (!what.report.delay || core_.spec().on_exceeded == exceeded_policy::degrade) return;
  const auto key = core_.children().key_of(what.report.offender->id);
  const auto* second = key ? core_.children()[*key].second.get() : nullptr;
  if (second && what.report.context == report_context::start_error &&
      what.report.offender->incarnation == second->incarnation)
    return; // a successor that fails counts as no restart
  restarts_.push_back(now_);
  while (restarts_.front() < now_ - core_.spec().intensity.period) restarts_.pop_front();
  require(restarts_.size() <= core_.spec().intensity.restarts, "restarted too often");
}

void simulation::act(const supervising::report_up&) { require(++ups_ == 1, "up twice"); }

void simulation::act(const supervising::forget_child& what) {
  require(slots_.at(what.child).living.empty(), "forgotten alive");
  slots_.erase(what.child);
  timers_.drop(what.child);
}

bool simulation::any_alive_after(child_key key) const {
  return std::any_of(slots_.upper_bound(key), slots_.end(),
                     [](const auto& each) { return !each.second.living.empty(); });
}

void simulation::say(std::string word) {
  final_word_ = std::move(word);
  require(unanswered_.empty(), "a call that was never answered");
  for (const auto& [key, each] : slots_) require(each.living.empty(), "ended with a child alive");
}

/// What must hold at every moment, whatever happens.
void simulation::check() {
  std::size_t starting = 0;
  const auto starts = [](const supervised_child& one) {
    return one.state == child_state::starting || one.state == child_state::timing_out;
  };
  for (const supervised_child& child : core_.children()) {
    const slot& real = slots_.at(child.key);
    for (const auto& [incarnation, each] : real.living) {
      const bool own = incarnation == child.incarnation && is_alive(child.state);
      const bool seconds =
          child.second && incarnation == child.second->incarnation && is_alive(child.second->state);
      require(own || seconds, "lives and is thought dead", &child);
    }
    check_one(child);
    if (starts(child)) ++starting;
    if (!child.second) continue;
    check_one(*child.second);
    require(child.second->state != child_state::up && child.second->state != child_state::down,
            "has a second incarnation for nothing", &child);
    if (starts(*child.second)) ++starting;
  }
  if (core_.spec().parallel_start)
    require(starting <= core_.spec().max_starting, "too many are starting");
}

/// Of one incarnation.
void simulation::check_one(const supervised_child& child) const {
  if (child.state == child_state::backing_off)
    require(child.timer != 0, "backs off for ever", &child);
  if (child.state == child_state::starting && ready_timeout_of(child.spec))
    require(child.timer != 0, "may start for ever", &child);
  if (child.state == child_state::stopping && shutdown_of(child.spec).limit())
    require(child.timer != 0, "may stop for ever", &child);
  if (child.timer != 0)
    require(child.timer_due >= now_ - 1ms, "has a timer that never fired", &child);
  require(child.deaths.size() <= limits::deaths_kept, "too many deaths kept");
}

double simulation::share_up() const {
  return std::chrono::duration<double>(time_up_) /
         (std::chrono::duration<double>(now_ - begin_) * static_cast<double>(slots_.size()));
}

void simulation::require(bool holds, const char* what, const supervised_child* who) const {
  if (holds) return;
  throw std::logic_error{(who == nullptr ? "" : who->spec.id + " ") + what + " (seed " +
                         std::to_string(seed_) + ")"};
}

monotonic_duration simulation::within(span_of_time span) {
  const auto width = static_cast<std::uint64_t>((span.most - span.least).count());
  return span.least +
         monotonic_duration{static_cast<monotonic_duration::rep>(random_() % (width + 1))};
}

bool simulation::chance(double share) {
  return static_cast<double>(random_() >> 11) * 0x1p-53 < share;
}

} // namespace coppice::test
