#include <coppice/runtime/net/socket_file.hpp>

#include <coppice/runtime/net/endpoint.hpp>
#include <coppice/runtime/net/unix_address.hpp>
#include <coppice/runtime/os/lock_file.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace coppice {
namespace {

/// A lock that is removed between our open and our flock protects nothing: then there is a new one
/// to be had. Whoever meets this so often in a row meets somebody who does nothing else.
constexpr int lock_tries = 100;

std::string lock_path(const std::string& path) { return path + ".lock"; }

bool has_still_its_name(int file, const std::string& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(file, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

result<os::unique_fd> lock_beside(const endpoint& where) {
  const auto name = lock_path(where.name);
  for (int tries = 0; tries < lock_tries; ++tries) {
    auto attempt = os::try_lock(AT_FDCWD, name, name);
    if (!attempt) return tl::unexpected{attempt.error()};
    if (!attempt->lock)
      return failure_because("bind", to_string(where),
                             attempt->holder + " is serving it, and holds " + name);
    if (has_still_its_name(attempt->lock.get(), name)) return std::move(attempt->lock);
  }
  return failure_because("lock", name, "it is removed again and again");
}

/// With the lock in our hands nobody who honours it is there. Whoever does not is asked.
result<void> remove_stale(const endpoint& where) {
  struct stat found {};
  if (::lstat(where.name.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return system_failure("look at", where.name);
  }
  if (!S_ISSOCK(found.st_mode))
    return failure_because("bind", to_string(where), "a file of this name is there, and no socket");
  if (const auto owner = who_listens_at(unix_address_of(where)); !owner.empty())
    return failure_because("bind", to_string(where), owner + " is serving it");
  if (::unlink(where.name.c_str()) != 0 && errno != ENOENT)
    return system_failure("remove", where.name);
  return {};
}

} // namespace

socket_file::socket_file(socket_file&& other) noexcept
    : lock_{std::move(other.lock_)},
      path_{std::move(other.path_)},
      device_{other.device_},
      inode_{std::exchange(other.inode_, 0)} {}

socket_file& socket_file::operator=(socket_file&& other) noexcept {
  if (this == &other) return *this;
  remove();
  lock_ = std::move(other.lock_);
  path_ = std::move(other.path_);
  device_ = other.device_;
  inode_ = std::exchange(other.inode_, 0);
  return *this;
}

result<socket_file> socket_file::claim(const endpoint& where) {
  auto lock = lock_beside(where);
  if (!lock) return tl::unexpected{lock.error()};
  socket_file claimed;
  claimed.lock_ = *std::move(lock);
  claimed.path_ = where.name;
  if (auto free = remove_stale(where); !free) return tl::unexpected{free.error()};
  return claimed;
}

result<void> socket_file::bound() {
  struct stat found {};
  if (::lstat(path_.c_str(), &found) != 0) return system_failure("look at", path_);
  device_ = found.st_dev;
  inode_ = found.st_ino;
  return {};
}

// The lock goes last: until then nobody else can have put anything of theirs here.
void socket_file::remove() noexcept {
  if (!lock_) return;
  struct stat found {};
  if (inode_ != 0 && ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ &&
      found.st_ino == inode_)
    ::unlink(path_.c_str());
  inode_ = 0;
  ::unlink(lock_path(path_).c_str());
  lock_.reset();
}

} // namespace coppice
