#pragma once
// Our supervisors' answers, in the words of erlang/otp_driver.erl.

#include "played_child.hpp"

#include <string>

namespace coppice::otp {

/// " a=alive b=undefined"; of a dynamic supervisor: " x1 x2", by the scripts' names.
[[nodiscard]] std::string who(const call_value& children, bool dynamic, const diary& book);
[[nodiscard]] std::string in_words(const call_value& answer, bool dynamic, const diary& book);
[[nodiscard]] std::string in_words(const call_failure& why);

} // namespace coppice::otp
