#pragma once
// Our side: plays a script to our supervisor actors in virtual time.

#include "otp_side.hpp"
#include "script.hpp"

namespace coppice::otp {

/// The same lines, in the same groups, as OTP's side gives.
[[nodiscard]] story play_ours(const script& what);

} // namespace coppice::otp
