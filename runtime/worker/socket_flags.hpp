#pragma once
// Flags that belong to the open socket and not to a descriptor: they outlive the process that set
// them.

#include <system_error>

namespace coppice {

/// Sets everything anew that an earlier holder of `fd` (borrowed) may have left behind:
/// non-blocking, no cork, no delay, no linger, no timeouts, urgent data in line. A dead
/// worker's cork delayed the next one's answer by 208 ms. A socket that refuses an option has none
/// of that kind.
void refresh_socket_flags(int fd) noexcept;

/// O_NONBLOCK, for whoever uses `fd` (borrowed) without MSG_DONTWAIT.
void set_nonblocking(int fd) noexcept;

/// Takes the pending error of `fd` (borrowed), SO_ERROR; connection_reset if the kernel has none to
/// tell.
[[nodiscard]] std::error_code socket_error(int fd) noexcept;

/// Makes the kernel send a reset now, although other descriptors of this socket may be open
/// elsewhere.
void abort_connection(int fd) noexcept;

} // namespace coppice
