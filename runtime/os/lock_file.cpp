#include <coppice/runtime/os/lock_file.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace coppice::os {
namespace {

std::string holder_of(int lock) {
  char text[16];
  const ssize_t n = ::pread(lock, text, sizeof text, 0);
  std::string pid{text, static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
  pid.erase(std::find_if(pid.begin(), pid.end(), [](char c) { return c < '0' || c > '9'; }),
            pid.end());
  return pid.empty() ? "another process" : "process " + pid;
}

} // namespace

result<lock_attempt> try_lock(int directory, const std::string& name, const std::string& shown) {
  unique_fd lock{
      ::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!lock) return system_failure("open", shown);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return lock_attempt{unique_fd{}, holder_of(lock.get())};
    return system_failure("lock", shown);
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.get(), 0) != 0 ||
      ::pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return system_failure("write", shown);
  return lock_attempt{std::move(lock), {}};
}

} // namespace coppice::os
