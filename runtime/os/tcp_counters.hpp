#pragma once
// The kernel's own count of what has gone over a TCP connection: the witness of what a dead process
// had read and written.

#include <coppice/runtime/error.hpp>

#include <cstdint>

namespace coppice::os {

/// Byte counts are of the whole connection, since its start, as the side that accepted it has them
/// (the side that connected counts its SYN as 1 byte acknowledged).
struct tcp_counters {
  std::uint64_t bytes_received = 0; ///< data in sequence, and 1 more once the FIN has come
  /// Data that the peer's TCP has acknowledged; 1 more once it has acknowledged our own FIN.
  std::uint64_t bytes_acked = 0;
  int unread = 0;            ///< received, and not yet taken out by recv (FIONREAD)
  int unsent = 0;            ///< handed over by send, and not yet acknowledged (SIOCOUTQ)
  bool fin_received = false; ///< the peer has ended its direction
  bool fin_sent = false;     ///< we have ended ours
  bool over = false;         ///< both have, or it was reset: the counts may have gone, too

  /// Bytes that recv has taken out of the connection.
  [[nodiscard]] std::uint64_t taken() const noexcept {
    return bytes_received - (fin_received ? 1 : 0) - static_cast<std::uint64_t>(unread);
  }
  /// Bytes that send has put into it. Our FIN counts as one, acknowledged or not.
  [[nodiscard]] std::uint64_t written() const noexcept {
    return bytes_acked + static_cast<std::uint64_t>(unsent) - (fin_sent ? 1 : 0);
  }
};

/// Reads them from the connected TCP socket `fd` (borrowed), on which no other process may work
/// meanwhile. An acknowledgement or data that come in between the calls are noticed and the reading
/// is repeated until it is of one moment. Not valid in SYN_RECV. Errors: getsockopt(2), ioctl(2);
/// EAGAIN if the connection never held still (limits::tcp_counter_tries).
[[nodiscard]] result<tcp_counters> read_tcp_counters(int fd);

} // namespace coppice::os
