#include <coppice/supervisors/child_spec.hpp>

namespace coppice {

using namespace std::chrono_literals;

std::string_view to_string(restart_type type) noexcept {
  switch (type) {
  case restart_type::permanent:
    return "permanent";
  case restart_type::transient:
    return "transient";
  case restart_type::temporary:
    return "temporary";
  }
  return "unknown";
}

std::string_view to_string(child_type type) noexcept {
  switch (type) {
  case child_type::worker:
    return "worker";
  case child_type::supervisor:
    return "supervisor";
  }
  return "unknown";
}

shutdown_time shutdown_of(const child_spec& spec) noexcept {
  if (spec.shutdown) return *spec.shutdown;
  return spec.type == child_type::supervisor ? infinity : shutdown_time{5s};
}

std::optional<std::chrono::milliseconds> ready_timeout_of(const child_spec& spec) noexcept {
  if (spec.ready_timeout || spec.type == child_type::supervisor) return spec.ready_timeout;
  return 60s;
}

} // namespace coppice
