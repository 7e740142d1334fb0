#pragma once
// Names one child within its supervisor for as long as it is there: keys count up from 0 in start
// order and are never used again, so what is late finds nobody instead of somebody else.

#include <cstdint>

namespace coppice {

using child_key = std::uint64_t;

} // namespace coppice
