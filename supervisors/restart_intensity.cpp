#include <coppice/supervisors/restart_intensity.hpp>

#include <algorithm>

namespace coppice {

bool restart_intensity::add(monotonic_time now) {
  restarts_.erase(restarts_.begin(), std::ranges::lower_bound(restarts_, now - limit_.period));
  // One more than allowed is all that anybody can ask about; older ones change no answer.
  if (restarts_.size() > limit_.restarts) restarts_.erase(restarts_.begin());
  restarts_.push_back(now);
  return restarts_.size() <= limit_.restarts;
}

std::size_t restart_intensity::count(monotonic_time now) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      restarts_, [&](monotonic_time when) { return when >= now - limit_.period; }));
}

} // namespace coppice
