#pragma once
// Why a request is not served: the status it is answered with, and a line for whoever sent it. A
// value.

#include <string_view>

namespace coppice::http {

struct refusal {
  int status = 0;         ///< 400 and above; 0: there is nothing to refuse
  std::string_view why{}; ///< of static lifetime

  explicit operator bool() const noexcept { return status != 0; }
};

} // namespace coppice::http
