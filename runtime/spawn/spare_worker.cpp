#include <coppice/runtime/spawn/spare_worker.hpp>

#include <coppice/runtime/os/fd_passing.hpp>
#include <coppice/runtime/spawn/spawn_order.hpp>

#include <utility>

namespace coppice {

spare_worker::spare_worker(asio::io_context& loop, os::child_process process, os::unique_fd letter,
                           std::function<void(spare_worker&)> on_ended)
    : letter_{std::move(letter)},
      process_{loop, std::move(process),
               [this, ended = std::move(on_ended)](os::exit_status) { ended(*this); }} {}

std::optional<os::child_process> spare_worker::become(const spawn_request& request) {
  if (process_.process().stopped()) return std::nullopt; // it would not read it
  wire::buffer out;
  const auto packet = write_spawn(0, request, out);
  const auto sent = os::send_with_fds(letter_.get(), packet.bytes, packet.carried());
  // No room: too many descriptors are in flight (ETOOMANYREFS, unix(7)).
  lives_ = sent.status == os::io_status::done || sent.status == os::io_status::would_block;
  if (sent.status != os::io_status::done) return std::nullopt;
  return process_.release();
}

} // namespace coppice
