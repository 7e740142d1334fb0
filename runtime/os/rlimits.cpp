#include <coppice/runtime/os/rlimits.hpp>

#include <algorithm>
#include <sys/resource.h>

namespace coppice::os {

result<std::size_t> raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return system_failure("read", "RLIMIT_NOFILE");
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return system_failure("raise", "RLIMIT_NOFILE");
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

result<void> set_core_limit(std::size_t bytes) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return system_failure("read", "RLIMIT_CORE");
  limit.rlim_cur = std::min<rlim_t>(bytes, limit.rlim_max);
  if (::setrlimit(RLIMIT_CORE, &limit) != 0) return system_failure("set", "RLIMIT_CORE");
  return {};
}

} // namespace coppice::os
