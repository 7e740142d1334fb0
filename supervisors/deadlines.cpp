#include <coppice/supervisors/deadlines.hpp>

namespace coppice {

void deadlines::set(supervising::timer_token token, monotonic_time due) {
  drop(token.child, token.second);
  by_time_.insert({due, token});
  by_child_.insert_or_assign(place(token.child, token.second), entry{due, token});
}

void deadlines::drop(child_key child) {
  drop(child, false);
  drop(child, true);
}

void deadlines::drop(child_key child, bool second) {
  const auto found = by_child_.find(place(child, second));
  if (found == by_child_.end()) return;
  by_time_.erase(found->second);
  by_child_.erase(found);
}

std::vector<supervising::timer_token> deadlines::take_due(monotonic_time now) {
  wake_ups_.erase(wake_ups_.begin(), wake_ups_.upper_bound(now));
  std::vector<supervising::timer_token> due;
  while (!by_time_.empty() && by_time_.begin()->due <= now) {
    due.push_back(by_time_.begin()->token);
    drop(due.back().child, due.back().second);
  }
  return due;
}

std::optional<monotonic_time> deadlines::next_wake_up() {
  const auto first = earliest();
  if (!first || (!wake_ups_.empty() && *wake_ups_.begin() <= *first)) return std::nullopt;
  wake_ups_.insert(*first);
  return first;
}

std::optional<monotonic_time> deadlines::earliest() const {
  if (by_time_.empty()) return std::nullopt;
  return by_time_.begin()->due;
}

} // namespace coppice
