#pragma once
// One packet and the descriptors that ride with it, over a unix socket (unix(7), SCM_RIGHTS). Thin
// and non-blocking, whatever the socket's own flags say; no queue, no framing. Any thread.

#include <coppice/runtime/os/unique_fd.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace coppice::os {

enum class io_status {
  done,        ///< bytes have moved
  would_block, ///< nothing has moved; try again when the socket is ready
  closed,      ///< the other end is gone
  failed,      ///< see `error`
};

struct send_result {
  io_status status = io_status::failed;
  std::size_t bytes = 0; ///< sent; a stream may take fewer than were given, and the fds with them
  /// errno of `failed`, `closed` and `would_block`. A `would_block` with ETOOMANYREFS is not about
  /// room: this user has too many descriptors in flight (RLIMIT_NOFILE), and the socket will say
  /// that it is writable. Wait until the other end has taken some.
  int error = 0;
};

/// Sends `bytes` (at least one) and duplicates of `fds` (borrowed; at most limits::control_fds).
[[nodiscard]] send_result send_with_fds(int socket, std::span<const std::byte> bytes,
                                        std::span<const int> fds) noexcept;

struct received {
  io_status status = io_status::failed;
  std::size_t bytes = 0;
  /// Descriptors were lost on the way: more than limits::control_fds were sent, or this process is
  /// out of descriptors (MSG_CTRUNC). Those that did come are closed: none is better than some.
  bool truncated_fds = false;
  bool truncated_bytes = false; ///< the packet was longer than the buffer (MSG_TRUNC)
  int error = 0;                ///< errno of `failed`
};

/// Receives one packet (or what a stream has) into `buffer`; its descriptors, closed on exec, are
/// appended to `fds`. A dead peer's ECONNRESET comes before the packets that are still queued; it
/// is passed over here, and the queue is read to its end, which is `closed`.
[[nodiscard]] received receive_with_fds(int socket, std::span<std::byte> buffer,
                                        std::vector<unique_fd>& fds);

} // namespace coppice::os
