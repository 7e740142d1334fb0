#include <coppice/supervisors/deaths.hpp>

#include <algorithm>
#include <fmt/format.h>

namespace coppice {

std::string to_text(const death& one, const restart_limit& limit) {
  const std::string after = " after " + to_text(one.uptime);
  if (one.asked) return "stopped" + after;
  if (!one.restarted) return "ended because of " + one.ending.reason + after;
  return fmt::format("restarted because of {}{}; delay {}; {} of {} in {}", one.ending.reason,
                     after, to_text(one.delay), one.count, limit.restarts, to_text(limit.period));
}

void death_log::add(const death& one) {
  entry& next = place_of_next();
  next = {.when = one.when,
          .incarnation = one.incarnation,
          .uptime = one.uptime,
          .delay = one.delay,
          .pid = one.ending.pid,
          .count = static_cast<std::uint16_t>(one.count),
          .how = one.ending.how,
          .progress = one.ending.progress,
          .was_ready = one.was_ready,
          .asked = one.asked,
          .restarted = one.restarted};
  next.reason = place_of(one.ending.reason);
}

/// The oldest one's, once there are enough; until then the memory doubles as far as it must.
death_log::entry& death_log::place_of_next() {
  if (kept_.size() == limits::deaths_kept) {
    entry& oldest = kept_[oldest_];
    oldest_ = (oldest_ + 1) % kept_.size();
    return oldest;
  }
  if (kept_.size() == kept_.capacity())
    kept_.reserve(std::min(limits::deaths_kept, std::max<std::size_t>(1, 2 * kept_.size())));
  return kept_.emplace_back();
}

/// Where it is already, or in the place of one that no death has any more.
std::uint8_t death_log::place_of(const std::string& reason) {
  auto place = std::ranges::find(reasons_, reason);
  if (place == reasons_.end()) {
    std::vector<bool> used(reasons_.size() + 1);
    // The newest death, which is to have it, has somebody else's still.
    for (std::size_t i = 0; i + 1 < kept_.size(); ++i)
      used[kept_[(oldest_ + i) % kept_.size()].reason] = true;
    const auto free = std::ranges::find(used, false) - used.begin();
    if (free == std::ssize(reasons_)) reasons_.emplace_back();
    place = reasons_.begin() + free;
    *place = reason;
  }
  return static_cast<std::uint8_t>(place - reasons_.begin());
}

void death_log::note_restart(monotonic_duration delay, std::size_t count) {
  if (kept_.empty()) return;
  entry& last = kept_[(oldest_ + kept_.size() - 1) % kept_.size()];
  last.restarted = true;
  last.delay = delay;
  last.count = static_cast<std::uint16_t>(count);
}

death death_log::operator[](std::size_t index) const {
  const entry& one = kept_[(oldest_ + index) % kept_.size()];
  return {.when = one.when,
          .incarnation = one.incarnation,
          .ending = {.how = one.how,
                     .reason = reasons_[one.reason],
                     .progress = one.progress,
                     .pid = one.pid},
          .uptime = one.uptime,
          .was_ready = one.was_ready,
          .asked = one.asked,
          .restarted = one.restarted,
          .delay = one.delay,
          .count = one.count};
}

} // namespace coppice
