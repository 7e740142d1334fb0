#pragma once
// One listening socket as the listener actor uses it. An interface, so that the actor runs against
// a fake one in virtual time; socket_acceptor is the real one. Loop thread only.

#include <coppice/runtime/os/unique_fd.hpp>
#include <functional>
#include <string>
#include <system_error>

namespace coppice {

/// What one accept(2) brought.
enum class accept_outcome {
  connection, ///< `socket` holds it
  nothing,    ///< nobody waits
  retry,      ///< this one went away before it was accepted; there may be more
  exhausted,  ///< no descriptors or memory: EMFILE, ENFILE, ENOBUFS, ENOMEM
  failed,     ///< the listening socket itself is unusable
};

struct accepted {
  accept_outcome outcome = accept_outcome::nothing;
  os::unique_fd socket;
  std::error_code why; ///< for exhausted and failed
};

class acceptor {
public:
  acceptor() = default;
  acceptor(const acceptor&) = delete;
  acceptor& operator=(const acceptor&) = delete;
  virtual ~acceptor() = default;

  /// Calls `readable` once when a connection waits, through the loop. A second call replaces the
  /// first.
  virtual void wait(std::function<void()> readable) = 0;
  /// Forgets the wait.
  virtual void stop_waiting() = 0;
  virtual accepted accept() = 0;
  /// Closes the socket: new clients are refused.
  virtual void close() = 0;
  /// "tcp://127.0.0.1:8080", with the real port.
  [[nodiscard]] virtual std::string endpoint() const = 0;
};

} // namespace coppice
