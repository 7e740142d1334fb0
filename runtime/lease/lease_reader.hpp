#pragma once
// The primary's eye on the leases in a ledger. It maps nothing: it reads copies and judges those,
// so a worker can write what it likes there. A slot is read only after its worker has been reaped
// or has returned it. Not thread-safe.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/lease/lease_layout.hpp>
#include <coppice/runtime/lease/lease_recovery.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace coppice {

/// A connection between two workers: all that the next one needs to go on with it.
struct carried_lease {
  lease_state state;
  std::uint32_t attempt = 1;
  std::uint64_t taken = 0;   ///< bytes received so far: `input` ends there
  std::uint64_t written = 0; ///< bytes sent so far: `output` begins there
  std::string input;         ///< received and not consumed
  std::string output;        ///< answered and not sent
  exchange_history history;
  std::vector<std::string> crashes{}; ///< the ends of the workers that crashed over the exchange
};

class lease_reader {
public:
  /// Takes its own descriptor of a ledger of lease_file_size.
  explicit lease_reader(os::unique_fd memory) noexcept : memory_{std::move(memory)} {}

  [[nodiscard]] result<lease_page> page() const;
  /// The leases that were returned since the last call: their ring entries, at most
  /// limits::lease_slots of them. Entries are whatever the worker wrote.
  [[nodiscard]] result<std::vector<std::uint32_t>> returned();
  [[nodiscard]] result<slot_head> head(std::uint32_t slot) const;
  /// A verdict's bytes out of the slot.
  [[nodiscard]] result<carried_lease> carry(std::uint32_t slot, const lease_verdict& verdict) const;
  /// Fills a slot in for lease `id`, before it is offered.
  [[nodiscard]] result<void> put(std::uint32_t slot, std::uint64_t id,
                                 const carried_lease& lease) const;

private:
  [[nodiscard]] result<void> read(void* into, std::size_t size, std::size_t at) const;
  [[nodiscard]] result<void> write(const void* from, std::size_t size, std::size_t at) const;

  os::unique_fd memory_;
  std::uint64_t seen_ = 0; ///< returns so far
};

} // namespace coppice
