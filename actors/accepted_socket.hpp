#pragma once
// A connection on its way through the primary, while no worker has it.

#include <coppice/runtime/link/worker_link.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <cstdint>
#include <memory>

namespace coppice {

/// A connection that no worker has: not yet, or no longer.
struct accepted_socket {
  std::uint32_t listener = 0; ///< which of the pool's endpoints accepted it
  os::unique_fd socket;
  std::unique_ptr<carried_lease> carried{}; ///< what its last worker left of it; null: nothing
  std::uint64_t affinity = 0;               ///< what its pool's policy goes by; 0: nothing
  connection_seat seat{};                   ///< among all that its pool may have
};

} // namespace coppice
