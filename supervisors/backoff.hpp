#pragma once
// How long a dead child waits before it is started again. OTP restarts at once; a process is dearer
// than a BEAM process, so a child that keeps dying *without progress* waits longer and longer.
// Pure.

#include <coppice/supervisors/monotonic.hpp>

#include <random>

namespace coppice {

/// What a spec says: `.backoff = {.first = 100ms, .max = 30s}`.
struct backoff {
  /// Waited after the first death without progress.
  std::chrono::milliseconds first{100};
  /// No wait is longer, jitter aside; a degraded slot always waits so long, unless it is the last
  /// hope of its pool.
  std::chrono::milliseconds max{30'000};
  /// Each further death in a row waits so many times longer; at least 1.
  double factor = 2;
  /// Each wait is multiplied by a random number in [1 - jitter, 1 + jitter], so that children which
  /// died together do not return together; in [0, 1).
  double jitter = 0.2;
  /// An incarnation that was *ready* for so long has made progress by that alone.
  std::chrono::milliseconds stable_after{1'000};

  /// How long, at most, a degraded slot waits while no other one is up or about to be: the clients
  /// of a pool that is down as a whole are waiting.
  static constexpr std::chrono::milliseconds last_hope{1'000};

  /// Restarts at once, always: what OTP does.
  static const backoff none;
  [[nodiscard]] constexpr bool is_none() const noexcept {
    return first.count() == 0 && max.count() == 0;
  }
  bool operator==(const backoff&) const = default;
};
inline constexpr backoff backoff::none{.first = std::chrono::milliseconds{0},
                                       .max = std::chrono::milliseconds{0}};

/// Where the jitter comes from. Passed in, so that a test can repeat what it saw.
using random_source = std::mt19937_64;

/// The wait after the n-th death in a row without progress, n from 1, before jitter:
/// first * factor^(n-1), at most max.
[[nodiscard]] monotonic_duration plain_wait(const backoff& spec, unsigned n);
/// The same with jitter.
[[nodiscard]] monotonic_duration jittered(const backoff& spec, monotonic_duration wait,
                                          random_source& random);

/// Deaths in a row without progress.
class failure_streak {
public:
  /// A death: with progress the streak is over and the wait is zero, without it the streak grows.
  [[nodiscard]] monotonic_duration after_death(const backoff& spec, bool progress,
                                               random_source& random);
  [[nodiscard]] unsigned length() const noexcept { return length_; }

private:
  unsigned length_ = 0;
};

} // namespace coppice
