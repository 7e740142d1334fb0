#pragma once
// A second descriptor for the same open file.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

namespace coppice::os {

/// A duplicate of `fd` (borrowed), closed on exec. Errors: fcntl(2), F_DUPFD_CLOEXEC.
[[nodiscard]] result<unique_fd> duplicate(int fd);

/// As `duplicate`, but the number is `lowest` or above: out of the way of the numbers that a child
/// is given its descriptors at.
[[nodiscard]] result<unique_fd> duplicate_above(int fd, int lowest);

} // namespace coppice::os
