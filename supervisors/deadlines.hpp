#pragma once
// One moment per child (and one for its second incarnation), and one wake-up for all of them. The
// actor system cannot call a timer back, so a ready timeout of 60 s for each of a thousand restarts
// would leave a thousand timers behind; here a new wake-up is asked for only when none that is
// under way comes early enough. Pure.

#include <coppice/supervisors/supervising.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

namespace coppice {

class deadlines {
public:
  /// Replaces the moment of that child, or of its second incarnation.
  void set(supervising::timer_token token, monotonic_time due);
  /// Forgets the child's moments.
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

  void drop(child_key child, bool second);
  /// Keys count up from 0: half of the numbers are enough for them.
  [[nodiscard]] static std::uint64_t place(child_key child, bool second) noexcept {
    return 2 * child + (second ? 1 : 0);
  }

  std::set<entry> by_time_;
  std::unordered_map<std::uint64_t, entry> by_child_;
  std::set<monotonic_time> wake_ups_;
};

} // namespace coppice
