#pragma once
// How many restarts are too many: more than `restarts` within `period`, as OTP's `intensity` and
// `period` ("Supervision Principles", Maximum Restart Intensity). A value; pure.

#include <coppice/supervisors/monotonic.hpp>

#include <cstddef>
#include <vector>

namespace coppice {

/// What a spec says: `.intensity = {.restarts = 5, .period = 30s}`.
struct restart_limit {
  /// So many restarts are allowed within `period`; one more is too many. 0: none at all.
  unsigned restarts = 5;
  /// Length of the window, which slides; must be positive unless `restarts` is 0.
  std::chrono::milliseconds period{30'000};
};

/// The sliding window itself. It keeps at most `restarts + 1` points in time.
class restart_intensity {
public:
  explicit restart_intensity(restart_limit limit) noexcept : limit_{limit} {}

  /// Counts a restart at `now`. False if that is one too many. Times must not run backwards.
  [[nodiscard]] bool add(monotonic_time now);
  /// Restarts counted within the window that ends at `now`; one exactly `period` ago still counts,
  /// as in OTP.
  [[nodiscard]] std::size_t count(monotonic_time now) const;
  [[nodiscard]] const restart_limit& limit() const noexcept { return limit_; }

private:
  restart_limit limit_;
  std::vector<monotonic_time> restarts_; // oldest first; most children never have one
};

} // namespace coppice
