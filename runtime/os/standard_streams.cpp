#include <coppice/runtime/os/standard_streams.hpp>

#include <cerrno>
#include <fcntl.h>
#include <initializer_list>
#include <unistd.h>

namespace coppice::os {

void open_standard_streams() noexcept {
  // From the lowest on: open(2) gives the lowest free number. Inherited by children, as streams
  // are.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      if (::open("/dev/null", O_RDWR) != fd) return; // not even that: nothing more can be done
}

} // namespace coppice::os
