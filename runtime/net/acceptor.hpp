#pragma once
// One listening socket as the listener actor uses it. An interface, so that the actor runs against
// a fake one in virtual time; socket_acceptor is the real one. Loop thread only.

#include <coppice/runtime/net/listening_socket.hpp>
#include <functional>
#include <string>

namespace coppice {

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
  virtual accept_result accept() = 0;
  /// Closes the socket: new clients are refused.
  virtual void close() = 0;
  /// "tcp://127.0.0.1:8080", with the real port.
  [[nodiscard]] virtual std::string endpoint() const = 0;
  /// Whether its connections can outlive a worker (see open_listener).
  [[nodiscard]] virtual bool counted() const { return true; }
};

} // namespace coppice
