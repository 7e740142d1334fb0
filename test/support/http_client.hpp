#pragma once
// A small blocking HTTP client with a deadline on every call, so that a hang is a failure and not a
// hang.

#include <coppice/runtime/os/unique_fd.hpp>
#include <optional>
#include <string>
#include <utility>

namespace coppice::test {

struct answer {
  int status = 0;
  std::string head;
  std::string body;
};

/// One connection to 127.0.0.1, or one that is given. Calls return nothing when the connection
/// fails, ends or takes too long.
class http_client {
public:
  explicit http_client(int port, int timeout_ms = 10'000);
  explicit http_client(os::unique_fd connected, int timeout_ms = 10'000)
      : socket_{std::move(connected)},
        timeout_ms_{timeout_ms} {}

  [[nodiscard]] bool connected() const { return static_cast<bool>(socket_); }
  [[nodiscard]] bool send(const std::string& bytes);
  /// Reads one answer with a Content-Length.
  [[nodiscard]] std::optional<answer> receive();
  std::optional<answer> get(const std::string& target);
  /// Everything up to the end of the connection; nothing if that does not come in time.
  [[nodiscard]] std::optional<std::string> receive_all();
  void shut_write();
  [[nodiscard]] int fd() const { return socket_.get(); }

private:
  bool fill();

  os::unique_fd socket_;
  int timeout_ms_;
  std::string buffer_;
};

/// A connection of its own, one GET.
[[nodiscard]] std::optional<answer> get(int port, const std::string& target);
/// The body of GET /pid, as a number; 0 if there is no answer.
[[nodiscard]] int pid_answering(int port);

} // namespace coppice::test
