#pragma once
// The datagram sockets of one worker. All workers of a pool, and the primary, have duplicates of
// the same socket: whoever looks first gets what has come. Loop thread only.
//
// Lifetime: destroyed before the io_context.

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/runtime/worker/datagram.hpp>

#include <array>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <sys/uio.h>
#include <vector>

namespace coppice {

struct datagram_options {
  /// Bytes of a datagram that are received; the rest of a larger one is lost, and `truncated` says
  /// so. A worker keeps limits::datagram_batch times as much memory. 1 to 65,536. Default: the
  /// largest that there are.
  std::size_t largest = limits::datagram;
};

class datagram_sockets {
public:
  using handler = std::function<void(datagram&)>;

  explicit datagram_sockets(asio::io_context& loop) : loop_{loop} {}
  datagram_sockets(const datagram_sockets&) = delete;
  datagram_sockets& operator=(const datagram_sockets&) = delete;
  ~datagram_sockets() { *alive_ = nullptr; }

  /// Who is given what comes from now on. Throws std::invalid_argument if the options are out of
  /// their bounds.
  void serve_with(handler each, datagram_options options);
  [[nodiscard]] bool has_service() const noexcept { return static_cast<bool>(each_); }
  /// Once for each datagram that is handled: before its first answer leaves, or else behind the
  /// handler.
  void on_handled(std::function<void()> f) { handled_ = std::move(f); }
  /// With what the handler has thrown; the next datagram is handled all the same.
  void on_thrown(std::function<void(std::exception_ptr)> f) { thrown_ = std::move(f); }
  /// With an error of a socket that receives nothing any more.
  void on_failed(std::function<void(std::error_code)> f) { failed_ = std::move(f); }

  void add(os::unique_fd socket, std::uint32_t listener);
  /// Reads no more: the others go on with the same sockets.
  void close();

private:
  struct endpoint {
    asio::posix::stream_descriptor socket;
    std::uint32_t listener;
  };

  static void close(endpoint& one);
  void wait(endpoint& from);
  /// One batch; then others have their turn.
  void receive(endpoint& from);
  void handle(endpoint& from, std::size_t index, std::size_t size, bool truncated);
  void make_room();

  asio::io_context& loop_;
  handler each_;
  std::function<void()> handled_;
  std::function<void(std::exception_ptr)> thrown_;
  std::function<void(std::error_code)> failed_;
  std::size_t largest_ = limits::datagram;
  std::list<endpoint> endpoints_;  ///< a list, so that they never move
  std::unique_ptr<char[]> buffer_; ///< from the first socket on
  std::array<sockaddr_storage, limits::datagram_batch> senders_;
  std::array<iovec, limits::datagram_batch> pieces_;
  std::shared_ptr<datagram_sockets*> alive_ = std::make_shared<datagram_sockets*>(this);
};

} // namespace coppice
