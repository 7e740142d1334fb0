#pragma once
// Holds the two stories of one script against each other.

#include "otp_side.hpp"

#include <optional>
#include <string>

namespace coppice::otp {

/// Nothing if they are the same; else the first group in which they differ, both versions of it.
[[nodiscard]] std::optional<std::string> difference(const script& what, const story& otp_told,
                                                    const story& we_told);

/// The whole of one story, each group under its steps.
[[nodiscard]] std::string to_text(const script& what, const story& told);

} // namespace coppice::otp
