#include <coppice/supervisors/supervisor_spec.hpp>

namespace coppice {

std::string_view to_string(restart_strategy strategy) noexcept {
  switch (strategy) {
  case restart_strategy::one_for_one:
    return "one_for_one";
  case restart_strategy::one_for_all:
    return "one_for_all";
  case restart_strategy::rest_for_one:
    return "rest_for_one";
  }
  return "unknown";
}

std::string_view to_string(exceeded_policy policy) noexcept {
  switch (policy) {
  case exceeded_policy::escalate:
    return "escalate";
  case exceeded_policy::degrade:
    return "degrade";
  }
  return "unknown";
}

std::string_view to_string(auto_shutdown_policy policy) noexcept {
  switch (policy) {
  case auto_shutdown_policy::never:
    return "never";
  case auto_shutdown_policy::any_significant:
    return "any_significant";
  case auto_shutdown_policy::all_significant:
    return "all_significant";
  }
  return "unknown";
}

} // namespace coppice
