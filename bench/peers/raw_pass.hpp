#pragma once
// What the two sides of bench_raw_pass share.

#include <cstddef>

namespace bench {

/// Descriptors in one message.
inline constexpr std::size_t pass_batch = 64;

/// Serves the connections that come over `channel` until it ends; then the process ends.
[[noreturn]] void raw_pass_worker(int channel);

} // namespace bench
