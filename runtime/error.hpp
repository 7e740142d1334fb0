#pragma once
// What went wrong, in the three parts that a reader needs: the verb, the object and the code.
// Values; no thread-safety of their own. `result<T>` is how every fallible function of the runtime
// answers; exceptions are left to user code and to broken preconditions.

#include <cerrno>
#include <string>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace coppice {

struct error {
  std::string verb;     ///< what was tried: "bind"
  std::string object;   ///< on what: "tcp://0.0.0.0:80"; may be empty
  std::error_code code; ///< why; empty if `reason` says it
  std::string reason;   ///< why, where no code can say it

  /// "bind tcp://0.0.0.0:80: Permission denied"
  [[nodiscard]] std::string message() const;
};

template <class T>
using result = tl::expected<T, error>;
using failure = tl::unexpected<error>;

/// The failure of a system call: takes the code from `errno`, so call it before anything else can
/// change it.
[[nodiscard]] failure system_failure(std::string verb, std::string object, int code = errno);

/// A failure that no error code describes.
[[nodiscard]] failure failure_because(std::string verb, std::string object, std::string reason);

} // namespace coppice
