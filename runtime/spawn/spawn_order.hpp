#pragma once
// One spawn on its way from the primary to the process that carries it out, a zygote or a spare:
// the packet, and the descriptors that ride with it.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/runtime/spawn/spawner.hpp>
#include <coppice/runtime/wire/buffer.hpp>
#include <coppice/runtime/wire/control.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace coppice {

/// The primary's side: a request as it is sent. Everything is borrowed, from the request and from
/// `out`.
struct spawn_packet {
  std::span<const std::byte> bytes;
  std::array<int, 6> fds{};
  std::size_t fd_count = 0;

  [[nodiscard]] std::span<const int> carried() const noexcept {
    return std::span{fds}.first(fd_count);
  }
};
[[nodiscard]] spawn_packet write_spawn(std::uint64_t request_id, const spawn_request& request,
                                       wire::buffer& out);

/// The other side: a packet as it has come.
struct received_order {
  wire::control_message what; ///< wire::spawn or wire::spare
  std::vector<os::unique_fd> fds;
  bool whole = false; ///< every descriptor that `what` names has come
};

/// Waits for the next order on a SOCK_SEQPACKET channel; packets of later versions are passed over.
/// `packet` is room for one. Errors: the channel (the reason is "closed" once the other end is
/// gone), the grammar, a message that is no order.
[[nodiscard]] result<received_order> await_order(int channel, std::vector<std::byte>& packet);

} // namespace coppice
