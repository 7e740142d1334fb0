#pragma once
// Slots in a real ledger, seen from both sides: mapped as by a worker, read as by the primary.

#include "support/catch.hpp"

#include <coppice/runtime/lease/lease_reader.hpp>
#include <coppice/runtime/lease/lease_table.hpp>
#include <coppice/runtime/lease/lease_writer.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/memfd.hpp>

namespace coppice::test {

struct slot_memory {
  os::unique_fd file = std::move(os::sealed_memfd("coppice-ledger", lease_file_size).value());
  lease_table table{std::move(os::duplicate(file.get()).value())};
  lease_reader reader{std::move(os::duplicate(file.get()).value())};

  std::byte* slot(std::uint32_t number) { return table.slot(number).value(); }
};

} // namespace coppice::test
