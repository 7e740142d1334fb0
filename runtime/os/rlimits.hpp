#pragma once
// Resource limits of this process (getrlimit(2)). Children inherit them.

#include <coppice/runtime/error.hpp>

#include <cstddef>

namespace coppice::os {

/// Raises the soft limit of open files to the hard one, and says what it is now: the primary keeps
/// a copy of every connection. Children that use select(2) must lower it again for themselves.
[[nodiscard]] result<std::size_t> raise_open_files();

/// Sets the soft limit of core files, in bytes. A process that dumps dies slowly (4 s, measured),
/// and what it held waits.
[[nodiscard]] result<void> set_core_limit(std::size_t bytes);

} // namespace coppice::os
