#pragma once
// Two network namespaces without a name, joined by a veth pair of MTU 1500: what loopback never
// shows (its MTU is 65,536, and a send of megabytes is taken whole). Both end with this process,
// however it ends, and the pair with them.

#include <coppice/runtime/os/unique_fd.hpp>

#include <string>

namespace coppice::test {

class two_networks {
public:
  static constexpr const char* server_address = "10.77.0.1";

  /// Moves the calling thread, and what it starts from then on, into the server's namespace. If
  /// that cannot be (not root, no ip(8)), `why_not` says why, and nothing has changed.
  two_networks();

  [[nodiscard]] const std::string& why_not() const { return why_not_; }
  /// Moves the calling thread into the clients' namespace.
  void enter_as_client() const;

private:
  /// Why it cannot be; empty: it is.
  std::string set_up();

  os::unique_fd clients_;
  std::string why_not_;
};

} // namespace coppice::test
