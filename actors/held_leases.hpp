#pragma once
// The connections that one incarnation has taken and not returned: the primary's own descriptor of
// each, by slot of the worker's ledger. Pure bookkeeping.

#include <coppice/runtime/lease/lease_layout.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/link/worker_link.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace coppice {

class held_leases {
public:
  /// A slot for the next connection, as slot + 1; 0: all are in use.
  [[nodiscard]] std::uint32_t allot() {
    if (!vacant_.empty()) {
      const std::uint32_t lease = vacant_.back(); // the last one used: its pages are there
      vacant_.pop_back();
      return lease;
    }
    return used_ < limits::lease_slots ? ++used_ : 0;
  }
  /// The connection that had it never came to hold it, or has it no more.
  void vacate(std::uint32_t lease) { vacant_.push_back(lease); }

  /// Taken by the worker.
  void hold(offered_connection connection) {
    if (slots_.size() < connection.lease) slots_.resize(connection.lease);
    auto& slot = slots_[connection.lease - 1];
    if (!slot) ++held_;
    slot = std::move(connection);
  }

  /// The worker says that it has returned the lease of `slot`, which is vacant then. Nothing if it
  /// does not hold that one.
  [[nodiscard]] std::optional<offered_connection> release(std::uint32_t slot) {
    if (slot >= slots_.size() || !slots_[slot]) return std::nullopt;
    --held_;
    vacate(slot + 1);
    return std::exchange(slots_[slot], std::nullopt);
  }

  /// All that it holds, when it is dead.
  [[nodiscard]] std::vector<offered_connection> take_all() {
    std::vector<offered_connection> all;
    for (auto& slot : slots_)
      if (slot) all.push_back(std::move(*slot));
    slots_.clear();
    held_ = 0;
    return all;
  }

  [[nodiscard]] std::size_t size() const noexcept { return held_; }

private:
  std::vector<std::optional<offered_connection>> slots_;
  std::vector<std::uint32_t> vacant_; ///< as slot + 1
  std::uint32_t used_ = 0;            ///< slots that were ever allotted: the first ones
  std::size_t held_ = 0;
};

} // namespace coppice
