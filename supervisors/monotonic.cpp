#include <coppice/supervisors/monotonic.hpp>

#include <cmath>
#include <fmt/format.h>

namespace coppice {

std::string to_text(monotonic_duration length) {
  const double seconds = std::chrono::duration<double>(length).count();
  if (length == monotonic_duration::zero()) return "0 s";
  if (std::abs(seconds) < 0.1) return fmt::format("{:.3g} ms", seconds * 1000);
  const double tenths = std::round(seconds * 10) / 10;
  return tenths == std::round(tenths) ? fmt::format("{:.0f} s", tenths)
                                      : fmt::format("{:.1f} s", tenths);
}

} // namespace coppice
