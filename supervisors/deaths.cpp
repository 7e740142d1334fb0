#include <coppice/supervisors/deaths.hpp>

#include <fmt/format.h>

namespace coppice {

std::string to_text(const death& one) {
  const std::string after = " after " + to_text(one.uptime);
  if (one.asked) return "stopped" + after;
  if (!one.restarted) return "ended because of " + one.ending.reason + after;
  return fmt::format("restarted because of {}{}; delay {}", one.ending.reason, after,
                     to_text(one.delay));
}

} // namespace coppice
