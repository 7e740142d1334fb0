#pragma once
// Listening sockets that this process was started with: what a service manager hands over in
// LISTEN_FDS (sd_listen_fds(3)), and any other descriptor that whoever started it has left open.
// Not thread-safe.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace coppice {

/// What the three variables say; nothing for one that is not set.
struct listen_variables {
  std::optional<std::string> pid{};   ///< LISTEN_PID: whom the sockets are for
  std::optional<std::string> fds{};   ///< LISTEN_FDS: how many, from descriptor 3 on
  std::optional<std::string> names{}; ///< LISTEN_FDNAMES: their names, with ':' between
};

/// The names of the descriptors 3, 4, ... that are for the process `self`, "unknown" for one that
/// has none; none at all if they are for another process. Pure. Errors: a number that is none.
[[nodiscard]] result<std::vector<std::string>> names_of_sockets(const listen_variables& said,
                                                                pid_t self);

class inherited_sockets {
public:
  inherited_sockets() = default;

  /// Reads the variables, and unsets them: what this process starts is not to take them for its
  /// own. The descriptors are closed on exec from here on. Call it before anything is opened.
  [[nodiscard]] static result<inherited_sockets> from_environment();

  /// Those of LISTEN_FDS, by number: the first is 3.
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }

  /// Gives the socket that an endpoint fd://`which` means, by its number or its name: non-blocking,
  /// closed on exec. Errors, on "fd://...": no such name, or several; a descriptor that is not
  /// open, or is no listening stream socket, with what it is instead; one that has been taken
  /// before.
  [[nodiscard]] result<os::unique_fd> take(const std::string& which);

  /// "4 (metrics)" for each one of LISTEN_FDS that nobody has taken.
  [[nodiscard]] std::vector<std::string> left() const;

private:
  [[nodiscard]] result<int> number_of(const std::string& which) const;

  std::vector<std::string> names_;
  std::vector<int> open_; ///< at the start, ascending; empty: not known
  std::vector<int> taken_;
};

} // namespace coppice
