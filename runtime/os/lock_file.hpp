#pragma once
// A lock that is a file: its owner has it open and locked (flock(2)), and its pid stands in it. It
// cannot go stale, as the kernel unlocks it when its owner ends. Not thread-safe.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <string>

namespace coppice::os {

struct lock_attempt {
  unique_fd lock;       ///< ours while it is open; none: somebody else has it
  std::string holder{}; ///< who, then: "process 71"
};

/// Makes the file `name` if there is none, mode 0600, locks it and writes our pid into it.
/// `directory` is borrowed, or AT_FDCWD; a symbolic link is not followed. Whoever removes a lock
/// must hold it, and whoever takes one that is removed sometimes must look whether the file still
/// has its name. Errors: open(2), flock(2), write(2), on `shown`.
[[nodiscard]] result<lock_attempt> try_lock(int directory, const std::string& name,
                                            const std::string& shown);

} // namespace coppice::os
