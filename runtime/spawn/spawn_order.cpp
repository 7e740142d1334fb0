#include <coppice/runtime/spawn/spawn_order.hpp>

#include <coppice/runtime/os/fd_passing.hpp>

#include <cerrno>
#include <poll.h>
#include <utility>
#include <variant>

namespace coppice {
namespace {

constexpr const char* object = "spawn channel";

bool wait_for_packet(int channel) {
  pollfd readable{channel, POLLIN, 0};
  for (;;) {
    if (::poll(&readable, 1, -1) >= 0) return true;
    if (errno != EINTR) return false;
  }
}

} // namespace

spawn_packet write_spawn(std::uint64_t request_id, const spawn_request& request,
                         wire::buffer& out) {
  wire::spawn order;
  order.request_id = request_id;
  order.group = request.group;
  order.name = request.name;
  order.worker_id = request.worker_id;
  order.incarnation = request.incarnation;
  order.setup = request.setup;
  const std::array carried{
      std::pair{wire::spawn_control, &request.control}, std::pair{wire::spawn_data, &request.data},
      std::pair{wire::spawn_ledger, &request.ledger},   std::pair{wire::spawn_in, &request.in},
      std::pair{wire::spawn_out, &request.out},         std::pair{wire::spawn_err, &request.err}};
  spawn_packet packet;
  static_assert(carried.size() == packet.fds.size());
  for (const auto& [bit, fd] : carried) {
    if (!*fd) continue;
    order.fds |= bit;
    packet.fds[packet.fd_count++] = fd->get();
  }
  packet.bytes = wire::encode_control(order, out);
  return packet;
}

result<received_order> await_order(int channel, std::vector<std::byte>& packet) {
  for (;;) {
    received_order order;
    const auto got = os::receive_with_fds(channel, packet, order.fds);
    switch (got.status) {
    case os::io_status::would_block:
      if (!wait_for_packet(channel)) return system_failure("wait for", object);
      continue;
    case os::io_status::closed:
      return failure_because("receive", object, "closed");
    case os::io_status::failed:
      return system_failure("receive", object, got.error);
    case os::io_status::done:
      break;
    }
    if (got.truncated_bytes)
      return failure_because("receive", object, "a packet is longer than the limit");
    auto message = wire::decode_control(std::span{packet}.first(got.bytes));
    if (!message) return tl::make_unexpected(std::move(message.error()));
    if (std::holds_alternative<wire::unknown>(*message)) continue;
    if (!std::holds_alternative<wire::spawn>(*message) &&
        !std::holds_alternative<wire::spare>(*message))
      return failure_because("receive", object, "a packet that is not an order");
    order.whole = !got.truncated_fds && wire::descriptors_of(*message) == order.fds.size();
    order.what = *std::move(message);
    return order;
  }
}

} // namespace coppice
