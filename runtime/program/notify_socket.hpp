#pragma once
// The receiving end of sd_notify(3) for one program.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/log.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>

namespace coppice {

/// Loop thread only. `on_ready` is called from the loop, at most once; it may destroy this. What
/// comes after it, and whatever else is said, is read and dropped: a sender must not be made to
/// wait.
class notify_socket {
public:
  /// Errors: socket(2), bind(2), setsockopt(2).
  [[nodiscard]] static result<std::unique_ptr<notify_socket>>
  open(asio::io_context& loop, logger& log, std::string name, std::function<void()> on_ready);
  notify_socket(const notify_socket&) = delete;
  notify_socket& operator=(const notify_socket&) = delete;
  ~notify_socket();

  /// The value of NOTIFY_SOCKET.
  [[nodiscard]] const std::string& address() const noexcept { return address_; }
  /// Begins to listen to this process, and to no other one.
  void hear(pid_t pid);
  /// It has ended: what it had said before counts.
  void hear_rest() { receive(); }

private:
  notify_socket(asio::io_context& loop, logger& log, std::string name,
                std::function<void()> on_ready, os::unique_fd fd, std::string address);
  void wait();
  void receive();
  /// False: nothing more is there. `ready`: the program has said so.
  bool receive_one(bool& ready);

  logger& log_;
  std::string name_;
  std::function<void()> on_ready_;
  std::string address_;
  pid_t pid_ = 0;
  bool stranger_told_ = false;
  asio::posix::stream_descriptor socket_;
  std::shared_ptr<notify_socket*> alive_ = std::make_shared<notify_socket*>(this);
};

} // namespace coppice
