#pragma once
// One moment per child, and one wake-up for all of them. The actor system cannot call a timer back,
// so a ready timeout of 60 s for each of a thousand restarts would leave a thousand timers behind;
// here a new wake-up is asked for only when none that is under way comes early enough. Pure.

#include <coppice/supervisors/supervising.hpp>

#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

namespace coppice {

class deadlines {
public:
  /// Replaces the child's moment.
  void set(supervising::timer_token token, monotonic_time due);
  /// Forgets the child's moment, if it has one.
  void drop(child_key child);
  /// The tokens that are due at `now`, earliest first; they are forgotten.
  [[nodiscard]] std::vector<supervising::timer_token> take_due(monotonic_time now);
  /// The moment to be woken at, if a wake-up has to be set up for it; it counts as set up then.
  /// Ask after every change.
  [[nodiscard]] std::optional<monotonic_time> next_wake_up();
  /// The moment that comes first.
  [[nodiscard]] std::optional<monotonic_time> earliest() const;
  /// Children with a moment, and wake-ups under way.
  [[nodiscard]] std::size_t size() const noexcept { return by_time_.size(); }
  [[nodiscard]] std::size_t wake_ups() const noexcept { return wake_ups_.size(); }

private:
  struct entry {
    monotonic_time due{};
    supervising::timer_token token{};
    bool operator<(const entry& other) const noexcept {
      return due != other.due ? due < other.due : token.serial < other.token.serial;
    }
  };

  std::set<entry> by_time_;
  std::unordered_map<child_key, entry> by_child_;
  std::set<monotonic_time> wake_ups_;
};

} // namespace coppice
