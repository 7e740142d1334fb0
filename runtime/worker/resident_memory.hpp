#pragma once
// How much memory this process holds.

#include <cstdint>

namespace coppice {

/// Bytes of resident memory, from /proc/self/statm (proc(5)); 0 if that cannot be read.
[[nodiscard]] std::uint64_t resident_memory() noexcept;

} // namespace coppice
