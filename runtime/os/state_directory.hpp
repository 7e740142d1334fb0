#pragma once
// The directory of one running program: its control socket, its lock.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <string>

namespace coppice::os {

/// Owns the lock (flock(2) on the file `lock`, which holds the owner's pid) as long as it lives:
/// two primaries never share a directory, and a lock cannot go stale. Move-only; not thread-safe.
class state_directory {
public:
  /// The first of: `explicit_path`, if not empty; the variable COPPICE_STATE_DIR, which is unset;
  /// $XDG_RUNTIME_DIR/coppice/NAME; /run/coppice/NAME. What is missing of it is made, with mode
  /// 0700. Errors: mkdir(2), open(2); a directory that belongs to somebody else, or that others can
  /// write to; one that is locked, with its owner's pid.
  [[nodiscard]] static result<state_directory> open(std::string explicit_path,
                                                    std::string program_name);

  /// Absolute.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
  state_directory(std::string path, unique_fd lock) noexcept
      : path_{std::move(path)},
        lock_{std::move(lock)} {}

  std::string path_;
  unique_fd lock_;
};

} // namespace coppice::os
