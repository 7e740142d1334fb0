#pragma once
// The worker's mapping of its leases: the slots, and what it says about all of them. Mapped when
// the first slot is needed, so that a worker's start costs nothing for it. Move-only; loop thread
// only.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/lease/lease_layout.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <cstddef>
#include <cstdint>

namespace coppice {

class lease_table {
public:
  /// Takes the ledger. One that has no room for leases is fine: it gives no slots.
  explicit lease_table(os::unique_fd memory) noexcept : memory_{std::move(memory)} {}
  lease_table(lease_table&& other) noexcept;
  lease_table& operator=(lease_table&& other) noexcept;
  ~lease_table();

  /// A slot's memory. Fails if the ledger has no such slot, or cannot be mapped (mmap(2)).
  [[nodiscard]] result<std::byte*> slot(std::uint32_t number);

  /// The handler that runs from here on is for this slot; for none.
  void runs(std::uint32_t number) noexcept;
  void runs_none() noexcept;

  /// The slot is the primary's again; it may be filled in anew at any time. `used` bytes of its
  /// stage were in use: pages beyond the usual are given back to the system.
  void give_back(std::uint32_t number, lease_return how, std::size_t used) noexcept;

private:
  [[nodiscard]] result<void> map();
  [[nodiscard]] lease_page& page() noexcept;

  os::unique_fd memory_;
  std::byte* at_ = nullptr; ///< of the whole file
};

} // namespace coppice
