// A file of its own: <linux/tcp.h> has the counters that glibc's tcp_info lacks, and clashes with
// <netinet/tcp.h>, which asio includes.
#include <coppice/runtime/os/tcp_counters.hpp>

#include <coppice/runtime/limits.hpp>

#include <cerrno>
#include <cstddef>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace coppice::os {
namespace {

// The kernel's TCP states (include/net/tcp_states.h) that are reached by the peer's FIN. CLOSE is
// where a connection ends that both sides have closed; a reset leads there, too, and takes all that
// could be counted with it.
constexpr unsigned fin_wait1 = 4, fin_wait2 = 5, time_wait = 6, closed = 7, close_wait = 8,
                   last_ack = 9, closing = 11;
constexpr bool after_fin(unsigned state) {
  return state == time_wait || state == closed || state == close_wait || state == last_ack ||
         state == closing;
}
/// Reached by our own FIN; at `closed` nothing is counted any more.
constexpr bool after_our_fin(unsigned state) {
  return state == fin_wait1 || state == fin_wait2 || state == time_wait || state == last_ack ||
         state == closing;
}

/// One call: all its numbers are of one moment, as the kernel holds the socket's lock.
bool read_info(int fd, tcp_info& info) {
  info = {};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  if (size < offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) {
    errno = ENOPROTOOPT; // Linux before 4.1
    return false;
  }
  return true;
}

bool same_moment(const tcp_info& before, const tcp_info& after) {
  return before.tcpi_bytes_acked == after.tcpi_bytes_acked &&
         before.tcpi_bytes_received == after.tcpi_bytes_received &&
         before.tcpi_state == after.tcpi_state;
}

failure counters_failure(int fd, int code = errno) {
  return system_failure("read TCP counters of", "descriptor " + std::to_string(fd), code);
}

} // namespace

result<tcp_counters> read_tcp_counters(int fd) {
  tcp_info before{};
  if (!read_info(fd, before)) return counters_failure(fd);
  for (int tries = 0; tries < limits::tcp_counter_tries; ++tries) {
    tcp_counters now;
    if (::ioctl(fd, SIOCINQ, &now.unread) != 0) return counters_failure(fd);
    if (::ioctl(fd, SIOCOUTQ, &now.unsent) != 0) return counters_failure(fd);
    tcp_info after{};
    if (!read_info(fd, after)) return counters_failure(fd);
    if (same_moment(before, after)) {
      now.bytes_received = after.tcpi_bytes_received;
      now.bytes_acked = after.tcpi_bytes_acked;
      now.fin_received = after_fin(after.tcpi_state);
      now.fin_sent = after_our_fin(after.tcpi_state);
      now.over = after.tcpi_state == time_wait || after.tcpi_state == closed;
      return now;
    }
    before = after;
  }
  return counters_failure(fd, EAGAIN);
}

} // namespace coppice::os
