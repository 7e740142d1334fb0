#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/net/socket_first_bytes.hpp>

#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace coppice {

result<std::unique_ptr<socket_first_bytes>> socket_first_bytes::open(asio::io_context& io) {
  os::unique_fd set{::epoll_create1(EPOLL_CLOEXEC)};
  if (!set) return system_failure("create", "epoll set");
  return std::unique_ptr<socket_first_bytes>{new socket_first_bytes{io, std::move(set)}};
}

socket_first_bytes::socket_first_bytes(asio::io_context& io, os::unique_fd set)
    : set_{io, set.release()},
      buffer_(limits::first_bytes) {}

bool socket_first_bytes::watch(std::uint64_t id, const os::unique_fd& socket) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.u64 = id;
  if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, socket.get(), &event) != 0) return false;
  ++watched_;
  wait();
  return true;
}

// Closing our descriptor would not take it out of the set: the worker that has a duplicate keeps it
// open (epoll(7), "Questions and answers", 6).
void socket_first_bytes::forget(const os::unique_fd& socket) {
  if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, socket.get(), nullptr) == 0) --watched_;
}

peeked socket_first_bytes::peek(const os::unique_fd& socket) {
  const auto n = ::recv(socket.get(), buffer_.data(), buffer_.size(), MSG_PEEK | MSG_DONTWAIT);
  if (n > 0) return {peeked::kind::bytes, {buffer_.data(), static_cast<std::size_t>(n)}};
  const bool later = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return {later ? peeked::kind::bytes : peeked::kind::gone, {}};
}

void socket_first_bytes::wait() {
  if (armed_) return;
  armed_ = true;
  set_.async_wait(asio::posix::stream_descriptor::wait_read,
                  [this, alive = std::weak_ptr{alive_}](const asio::error_code& ec) {
                    if (ec == asio::error::operation_aborted || alive.expired()) return;
                    armed_ = false;
                    take_news();
                    if (watched_ > 0) wait();
                  });
}

void socket_first_bytes::take_news() {
  std::array<epoll_event, limits::first_bytes_batch> events;
  const int n = ::epoll_wait(set_.native_handle(), events.data(), limits::first_bytes_batch, 0);
  std::vector<first_bytes_news> all;
  for (int i = 0; i < n; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    all.push_back({event.data.u64, (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0});
  }
  if (!all.empty() && news_) news_(std::move(all));
}

} // namespace coppice
