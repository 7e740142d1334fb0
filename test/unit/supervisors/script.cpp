#include "script.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <stdexcept>
#include <type_traits>

namespace coppice::test {
namespace {

void join(std::string& all, const std::string& more) {
  if (!all.empty() && !more.empty()) all += "; ";
  all += more;
}

std::string_view verb(supervising::stop_mode how) {
  switch (how) {
  case supervising::stop_mode::shutdown:
    return "stop ";
  case supervising::stop_mode::hurry:
    return "hurry ";
  case supervising::stop_mode::kill:
    return "kill ";
  }
  return "? ";
}

/// "3: ok", "3: a#2 up", "3: running", "3: 4 to 2"
std::string text_of(const supervising::reply& reply) {
  struct {
    std::string operator()(std::monostate) { return "ok"; }
    std::string operator()(const child_info& child) {
      return child.id + "#" + std::to_string(child.incarnation) + " " +
             std::string{to_string(child.state)};
    }
    std::string operator()(const std::vector<child_info>& all) {
      std::string text;
      for (const child_info& each : all) text += (text.empty() ? "" : ", ") + (*this)(each);
      return text;
    }
    std::string operator()(const child_counts& n) {
      return fmt::format("{} specs, {} active, {} supervisors, {} workers", n.specs, n.active,
                         n.supervisors, n.workers);
    }
    std::string operator()(const child_spec& spec) { return "spec of " + spec.id; }
    std::string operator()(const scaled& n) { return fmt::format("{} to {}", n.before, n.after); }
  } texts;
  return fmt::format("{}: {}", reply.ticket,
                     reply.answer ? std::visit(texts, *reply.answer)
                                  : std::string{to_string(reply.answer.error().code)});
}

} // namespace

child_key script::key(std::string_view id) const {
  const auto found = ids_.find(id);
  if (found == ids_.end()) throw std::invalid_argument{"no child " + std::string{id}};
  return found->second;
}

const supervised_child& script::child(std::string_view id) const {
  const supervised_child* found = core_->children().find(key(id));
  if (!found) throw std::invalid_argument{std::string{id} + " has been removed"};
  return *found;
}

child_state script::state(std::string_view id) const {
  const supervised_child* found = core_->children().find(key(id));
  return found ? found->state : child_state::removed;
}

std::string script::play(const supervising::event& what) {
  std::string said;
  const auto name = [this](child_key key) -> std::string {
    for (const auto& [id, known] : ids_)
      if (known == key) return id;
    return "unknown";
  };
  const auto second = [this](const supervising::stop_child& a) -> std::string {
    const supervised_child* child = core_->children().find(a.child);
    const bool own = !child || child->incarnation == a.incarnation;
    return own ? "" : "#" + std::to_string(a.incarnation);
  };
  const supervising::actions answer = core_->decide(what, now_);
  learn_ids();
  for (const supervising::action& each : answer) {
    std::visit(
        [&](const auto& a) {
          using type = std::decay_t<decltype(a)>;
          if constexpr (std::is_same_v<type, supervising::start_child>)
            join(said, "start " + name(a.child) + "#" + std::to_string(a.incarnation));
          else if constexpr (std::is_same_v<type, supervising::stop_child>)
            join(said, std::string{verb(a.how)} + name(a.child) + second(a));
          else if constexpr (std::is_same_v<type, supervising::arm_timer>)
            timers_.set(a.token, a.due);
          else if constexpr (std::is_same_v<type, supervising::note>)
            reports_.push_back(a.report);
          else if constexpr (std::is_same_v<type, supervising::report_up>)
            join(said, "up");
          else if constexpr (std::is_same_v<type, supervising::adopt_child>)
            ++adopted_;
          else if constexpr (std::is_same_v<type, supervising::reply>) {
            join(said, text_of(a));
            if (!a.answer) failures_.push_back(a.answer.error().text);
          } else if constexpr (std::is_same_v<type, supervising::forget_child>)
            timers_.drop(a.child);
          else if constexpr (std::is_same_v<type, supervising::stopped>)
            join(said, "stopped");
          else if constexpr (std::is_same_v<type, supervising::report_failed_start>)
            join(said, "failed_start " + a.child_id + ": " + a.reason);
          else
            join(said, "give_up");
        },
        each);
  }
  return said;
}

void script::learn_ids() {
  for (const supervised_child& each : core_->children()) ids_[each.spec.id] = each.key;
}

std::string script::pass(monotonic_duration length) {
  std::string said;
  const monotonic_time end = now_ + length;
  while (timers_.earliest() && *timers_.earliest() <= end) {
    now_ = std::max(now_, *timers_.earliest());
    for (const supervising::timer_token& token : timers_.take_due(now_))
      join(said, play(supervising::timer_due{token}));
  }
  now_ = end;
  return said;
}

void script::boot() {
  begin();
  for (bool more = true; more;) {
    more = false;
    for (const supervised_child& each : core_->children()) {
      if (each.state != child_state::starting) continue;
      ready(each.spec.id);
      more = true;
      break;
    }
  }
}

} // namespace coppice::test
