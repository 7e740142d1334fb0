#pragma once
// Descriptors 0, 1 and 2 are the standard streams, whatever a process was started with.

namespace coppice::os {

/// Opens /dev/null for each of 0, 1 and 2 that is closed. Call it first of all: the next descriptor
/// that is opened would become a standard stream otherwise, and what is printed would go into a
/// lock file or a channel.
void open_standard_streams() noexcept;

} // namespace coppice::os
