#include <coppice/actors/health.hpp>

#include <array>
#include <cmath>
#include <fmt/format.h>

namespace coppice {

health_watch::health_watch(const health_limits& limits, double draw, monotonic_time ready_at)
    : limits_{limits},
      stretch_{1 + limits.jitter * draw},
      ready_at_{ready_at},
      last_look_{ready_at},
      silent_since_{ready_at} {}

health_verdict health_watch::look(const vital_signs& signs, monotonic_time now) {
  const bool away = was_away(now);
  last_look_ = now;
  if (signs.beats != beats_) {
    beats_ = signs.beats;
    silent_since_ = now;
  }
  if (away) return {};
  if (limits_.hang_timeout && silence() >= *limits_.hang_timeout)
    return {health_verdict::hung,
            "hung: no heartbeat for " + to_text(monotonic_duration{*limits_.hang_timeout})};
  if (exhausted_) return {};
  auto why = exhausted(signs, now);
  if (why.empty()) return {};
  exhausted_ = true;
  return {health_verdict::exhausted, std::move(why)};
}

/// Never twice in a row: a primary that is always late still finds who hangs.
bool health_watch::was_away(monotonic_time now) {
  skipped_ = !skipped_ && now - last_look_ > limits::health_look_late;
  if (skipped_) silent_since_ += now - last_look_;
  return skipped_;
}

std::string health_watch::exhausted(const vital_signs& signs, monotonic_time now) const {
  const auto reached = [this](auto value, auto limit) {
    return static_cast<double>(value) >= static_cast<double>(limit) * stretch_;
  };
  if (limits_.max_memory && reached(signs.rss_bytes, *limits_.max_memory))
    return fmt::format("max_memory {} exceeded (rss {})", bytes_text(*limits_.max_memory),
                       bytes_text(signs.rss_bytes));
  const std::chrono::duration<double, std::milli> age = now - ready_at_;
  if (limits_.max_lifetime && reached(age.count(), limits_.max_lifetime->count()))
    return fmt::format("max_lifetime {} reached (up for {})",
                       to_text(monotonic_duration{*limits_.max_lifetime}),
                       to_text(now - ready_at_));
  if (limits_.max_requests && reached(signs.served, *limits_.max_requests))
    return fmt::format("max_requests {} reached ({} served)", *limits_.max_requests, signs.served);
  return {};
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  auto n = static_cast<double>(bytes);
  while (n >= 1024 && unit + 1 < units.size()) {
    n /= 1024;
    ++unit;
  }
  const double tenths = std::round(n * 10) / 10;
  return fmt::format("{:.{}f} {}", tenths, tenths < 10 && tenths != std::round(tenths) ? 1 : 0,
                     units[unit]);
}

} // namespace coppice
