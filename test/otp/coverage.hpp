#pragma once
// Counts what the scripts of a run have made OTP do, so that a run that says nothing is seen.

#include "otp_side.hpp"

#include <cstddef>
#include <map>
#include <string>

namespace coppice::otp {

class coverage {
public:
  void add(const script& what, const story& told);
  [[nodiscard]] std::string to_text() const;

private:
  void count(const std::string& what) { ++counts_[what]; }

  std::map<std::string, std::size_t> counts_;
  /// "one_for_all transient crash": deaths that happened.
  std::map<std::string, std::size_t> deaths_;
};

} // namespace coppice::otp
