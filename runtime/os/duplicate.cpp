#include <coppice/runtime/os/duplicate.hpp>

#include <fcntl.h>
#include <string>

namespace coppice::os {

result<unique_fd> duplicate(int fd) { return duplicate_above(fd, 0); }

result<unique_fd> duplicate_above(int fd, int lowest) {
  unique_fd copy{::fcntl(fd, F_DUPFD_CLOEXEC, lowest)};
  if (!copy) return system_failure("duplicate", "descriptor " + std::to_string(fd));
  return copy;
}

} // namespace coppice::os
