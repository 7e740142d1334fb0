#include <coppice/supervisors/backoff.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace coppice {

monotonic_duration plain_wait(const backoff& spec, unsigned n) {
  if (n == 0) return monotonic_duration::zero();
  const std::chrono::duration<double> max = spec.max;
  const std::chrono::duration<double> wait = spec.first * std::pow(spec.factor, n - 1);
  // Written so that an infinite power, after very many deaths, is capped like any other.
  return wait < max ? std::chrono::duration_cast<monotonic_duration>(wait)
                    : monotonic_duration{spec.max};
}

monotonic_duration jittered(const backoff& spec, monotonic_duration wait, random_source& random) {
  // Not std::uniform_real_distribution: its numbers differ between standard libraries.
  const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
  const double factor = 1 + spec.jitter * (2 * unit - 1);
  return std::chrono::duration_cast<monotonic_duration>(
      std::chrono::duration<double, monotonic_duration::period>(wait) * factor);
}

monotonic_duration failure_streak::after_death(const backoff& spec, bool progress,
                                               random_source& random) {
  if (progress) {
    length_ = 0;
    return monotonic_duration::zero();
  }
  if (length_ < std::numeric_limits<unsigned>::max()) ++length_;
  return jittered(spec, plain_wait(spec, length_), random);
}

} // namespace coppice
