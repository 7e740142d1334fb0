#pragma once
// The real first_bytes: one epoll set for all sockets, which the loop watches as one descriptor.
// Edge-triggered: a socket whose bytes stay in it would be readable for ever.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/net/first_bytes.hpp>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <memory>
#include <vector>

namespace coppice {

class socket_first_bytes final : public first_bytes {
public:
  /// Errors: epoll_create1(2).
  [[nodiscard]] static result<std::unique_ptr<socket_first_bytes>> open(asio::io_context& io);

  void tell(on_news news) override { news_ = std::move(news); }
  bool watch(std::uint64_t id, const os::unique_fd& socket) override;
  void forget(const os::unique_fd& socket) override;
  peeked peek(const os::unique_fd& socket) override;

private:
  socket_first_bytes(asio::io_context& io, os::unique_fd set);
  void wait();
  void take_news();

  asio::posix::stream_descriptor set_;
  on_news news_;
  std::vector<char> buffer_;
  std::size_t watched_ = 0;
  bool armed_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(); ///< a handler may be under way at the end
};

} // namespace coppice
