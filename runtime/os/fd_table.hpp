#pragma once
// What this process has open.

#include <span>
#include <vector>

namespace coppice::os {

/// The numbers of all open descriptors, ascending. Empty if /proc cannot be read.
[[nodiscard]] std::vector<int> open_descriptors();

/// Closes everything but `sorted_keep` (ascending). For a forked child, before it goes its own way:
/// whatever owns the others must be released, not destroyed. Async-signal-safe where the kernel has
/// close_range(2), Linux 5.9.
void close_all_but(std::span<const int> sorted_keep);

} // namespace coppice::os
