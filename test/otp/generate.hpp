#pragma once
// Makes scripts up, and makes them smaller. Pure: the same seed gives the same script everywhere.

#include "script.hpp"

#include <cstdint>
#include <functional>

namespace coppice::otp {

[[nodiscard]] script generate(std::uint64_t seed);

/// The smallest script found for which `fails` still holds: without steps, nodes and settings that
/// it fails without as well. `fails(what)` must hold.
[[nodiscard]] script shrink(script what, const std::function<bool(const script&)>& fails);

} // namespace coppice::otp
