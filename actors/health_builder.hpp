#pragma once
// The settings of a worker's health, as pools, agents and dynamic groups have them.

#include <coppice/actors/health.hpp>

#include <chrono>
#include <cstdint>

namespace coppice {

/// Each says one of health_limits, and returns the group, so that another can follow. `Group` has
/// `health_limits& health()`.
template <class Group>
class health_builder {
public:
  Group& hang_timeout(std::chrono::milliseconds time) {
    own().health().hang_timeout = time;
    return own();
  }
  Group& hang_timeout(no_timeout_t) {
    own().health().hang_timeout.reset();
    return own();
  }
  Group& max_memory(std::uint64_t bytes) {
    own().health().max_memory = bytes;
    return own();
  }
  Group& max_lifetime(std::chrono::milliseconds time) {
    own().health().max_lifetime = time;
    return own();
  }
  Group& health_jitter(double most) {
    own().health().jitter = most;
    return own();
  }

private:
  Group& own() { return static_cast<Group&>(*this); }
};

} // namespace coppice
