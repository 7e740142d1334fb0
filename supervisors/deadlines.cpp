#include <coppice/supervisors/deadlines.hpp>

namespace coppice {

void deadlines::set(supervising::timer_token token, monotonic_time due) {
  if (token.child >= by_child_.size()) by_child_.resize(token.child + 1);
  std::optional<entry>& own = by_child_[token.child];
  if (own) by_time_.erase(*own);
  own = entry{due, token};
  by_time_.insert(*own);
}

std::vector<supervising::timer_token> deadlines::take_due(monotonic_time now) {
  wake_ups_.erase(wake_ups_.begin(), wake_ups_.upper_bound(now));
  std::vector<supervising::timer_token> due;
  while (!by_time_.empty() && by_time_.begin()->due <= now) {
    due.push_back(by_time_.begin()->token);
    by_child_[due.back().child].reset();
    by_time_.erase(by_time_.begin());
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
