#pragma once
// Time as the supervision core knows it: a point on the monotonic clock that somebody else has
// read. Nothing in the pure files of this folder reads a clock; wall-clock time has no place in
// deciding.

#include <chrono>
#include <string>

namespace coppice {

using monotonic_time = std::chrono::steady_clock::time_point;
using monotonic_duration = std::chrono::steady_clock::duration;

/// A duration for people: "12.4 s", "30 s"; below a tenth of a second in milliseconds, "3 ms".
[[nodiscard]] std::string to_text(monotonic_duration length);

} // namespace coppice
