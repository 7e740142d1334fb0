#include <coppice/runtime/os/environment.hpp>

#include <cstdlib>

namespace coppice::os {

std::optional<std::string> take_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  std::string taken{value};
  ::unsetenv(name);
  return taken;
}

} // namespace coppice::os
