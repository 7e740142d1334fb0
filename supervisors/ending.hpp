#pragma once
// How one incarnation of a child came to its end. A value.

#include <cstdint>
#include <string>
#include <string_view>

namespace coppice {

struct ending {
  enum kind {
    well,         ///< exit code 0, or its own normal end
    abnormal,     ///< another exit code, a signal, an exception, a hang that was killed
    start_failed, ///< it could not even be started; it never was ready
  };

  kind how = well;
  /// For people: "exit code 3", "SIGSEGV (core dumped)", "spawn web/2: Cannot allocate memory".
  std::string reason{};
  /// It finished a lease or a message after it became ready: it was of use.
  bool progress = false;
  /// The process it was, for display only; 0 if it had none of its own.
  std::int32_t pid = 0;

  bool operator==(const ending&) const = default;
};

[[nodiscard]] constexpr std::string_view to_string(ending::kind how) noexcept {
  switch (how) {
  case ending::well:
    return "well";
  case ending::abnormal:
    return "abnormal";
  case ending::start_failed:
    return "start_failed";
  }
  return "unknown";
}

} // namespace coppice
