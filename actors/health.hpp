#pragma once
// When a worker is ill, and what is done about it: it is silent for too long and killed, or it has
// had enough (memory, time, requests) and is replaced. `health_watch` decides, from what the worker
// writes into its ledger and the time; its worker_proxy looks, and acts. Pure: no clock, no random,
// no process.

#include <coppice/runtime/limits.hpp>
#include <coppice/supervisors/monotonic.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace coppice {

/// No limit: `.hang_timeout(no_timeout)`.
struct no_timeout_t {};
inline constexpr no_timeout_t no_timeout{};

/// What is watched of each worker of a group. Where a limit is reached, the worker is replaced: a
/// new one becomes ready, then the old one finishes what it has and ends. That is no death.
struct health_limits {
  /// Longer than this without a heartbeat of its main loop: it hangs, and is killed. At least
  /// limits::hang_timeout_least; nothing: never.
  std::optional<std::chrono::milliseconds> hang_timeout = limits::hang_timeout;
  /// Bytes of resident memory, what it shares with the zygote included.
  std::optional<std::uint64_t> max_memory{};
  /// Time since it became ready.
  std::optional<std::chrono::milliseconds> max_lifetime{};
  /// Exchanges (HTTP: requests) that it has finished.
  std::optional<std::uint64_t> max_requests{};
  /// Each incarnation's limits are multiplied by a random number of its own in [1, 1 + jitter], so
  /// that a pool is not replaced all at once. In [0, 1].
  double jitter = 0.1;

  /// Whether there is anything to look for.
  [[nodiscard]] bool any() const noexcept {
    return hang_timeout || max_memory || max_lifetime || max_requests;
  }
  bool operator==(const health_limits&) const = default;
};

/// What a worker has written so far; whatever it wrote is only compared.
struct vital_signs {
  std::uint64_t beats = 0;
  std::uint64_t rss_bytes = 0;
  std::uint64_t served = 0;
};

struct health_verdict {
  enum kind {
    well,
    hung,      ///< no heartbeat for hang_timeout
    exhausted, ///< a limit is reached; said once
  };
  kind what = well;
  std::string reason{}; ///< "hung: no heartbeat for 30 s"
  bool operator==(const health_verdict&) const = default;
};

/// Of one incarnation, from the moment when it is ready.
class health_watch {
public:
  /// `draw` is random in [0, 1): this incarnation's place within the jitter.
  health_watch(const health_limits& limits, double draw, monotonic_time ready_at);

  /// What it wrote, as read at `now`. Look every limits::health_look. If the look before is much
  /// longer ago, then we were stopped, or kept from running: a worker that was stopped with us has
  /// had no time to beat, so that nothing is concluded, once, and the time lost is not silence.
  [[nodiscard]] health_verdict look(const vital_signs& now_written, monotonic_time now);

  /// How long there has been no heartbeat, as far as the last look could tell.
  [[nodiscard]] monotonic_duration silence() const noexcept { return last_look_ - silent_since_; }

private:
  [[nodiscard]] bool was_away(monotonic_time now);
  [[nodiscard]] std::string exhausted(const vital_signs& signs, monotonic_time now) const;

  health_limits limits_;
  double stretch_; ///< this incarnation's factor
  monotonic_time ready_at_;
  monotonic_time last_look_;
  monotonic_time silent_since_;
  std::uint64_t beats_ = 0;
  bool skipped_ = false; ///< the last look concluded nothing
  bool exhausted_ = false;
};

/// "200 MiB", "1.5 GiB": bytes for people.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);

} // namespace coppice
