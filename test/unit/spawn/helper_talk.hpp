#pragma once
// What the tests and their helper program say to each other: texts on the control channel.

#include <coppice/runtime/os/fd_passing.hpp>

#include <array>
#include <optional>
#include <poll.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::spawn_test {

inline bool say(int control, std::string_view text) {
  return os::send_with_fds(control, std::as_bytes(std::span{text.data(), text.size()}), {})
             .status == os::io_status::done;
}

/// The next packet; nothing at the end of the channel, or when `limit_ms` is over (-1: never).
inline std::optional<std::string> hear(int control, int limit_ms = -1) {
  std::array<std::byte, 8192> buffer;
  std::vector<os::unique_fd> fds;
  for (;;) {
    const auto got = os::receive_with_fds(control, buffer, fds);
    if (got.status == os::io_status::done)
      return std::string{reinterpret_cast<const char*>(buffer.data()), got.bytes};
    if (got.status != os::io_status::would_block) return std::nullopt;
    pollfd it{control, POLLIN, 0};
    if (::poll(&it, 1, limit_ms) == 0) return std::nullopt;
  }
}

/// The robust mutex that the test puts into a worker's ledger.
struct shared_mutex_page {
  alignas(64) char mutex[64];
};

} // namespace coppice::spawn_test
