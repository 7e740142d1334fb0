#pragma once
// A channel's socket as the loop watches it: tells when there is input or room, and is closed for
// good. The two channels share it. Loop thread only.

#include <coppice/runtime/os/unique_fd.hpp>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <system_error>
#include <utility>

namespace coppice {

class loop_socket {
public:
  loop_socket(asio::io_context& loop, os::unique_fd socket) : descriptor_{loop, socket.release()} {}
  loop_socket(const loop_socket&) = delete;
  loop_socket& operator=(const loop_socket&) = delete;
  ~loop_socket() { close(); }

  [[nodiscard]] int get() { return descriptor_.native_handle(); }
  [[nodiscard]] bool is_open() const { return descriptor_.is_open(); }

  /// Calls `then` once there is input or an end; not if the socket is closed before.
  template <class Then>
  void on_input(Then then) {
    wait(asio::posix::descriptor_base::wait_read, std::move(then));
  }
  /// Calls `then` once the socket takes output again; not if the socket is closed before.
  template <class Then>
  void on_room(Then then) {
    wait(asio::posix::descriptor_base::wait_write, std::move(then));
  }
  /// Calls `then` in a later round of the loop, open or not.
  template <class Then>
  void later(Then then) {
    asio::post(descriptor_.get_executor(), std::move(then));
  }

  /// Not descriptor_.close(): asio leaves the socket in the epoll set there, where it goes on
  /// reporting while somebody holds a duplicate of it.
  void close() {
    if (descriptor_.is_open()) os::unique_fd{descriptor_.release()}.reset();
  }

private:
  template <class Then>
  void wait(asio::posix::descriptor_base::wait_type what, Then then) {
    descriptor_.async_wait(what, [then = std::move(then)](const std::error_code& stopped) {
      if (!stopped) then();
    });
  }

  asio::posix::stream_descriptor descriptor_;
};

} // namespace coppice
