#pragma once
// Anonymous files in memory.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <cstddef>
#include <string>

namespace coppice::os {

/// A zeroed file of `size` bytes, sealed with SHRINK, GROW and SEAL, closed on exec. Its length can
/// change no more, so a process that maps it never gets a SIGBUS from another one's ftruncate.
/// `name` shows in /proc/PID/maps. Errors: memfd_create(2), ftruncate(2), fcntl(2).
[[nodiscard]] result<unique_fd> sealed_memfd(std::string name, std::size_t size);

} // namespace coppice::os
