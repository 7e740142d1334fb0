#include "load/connection.hpp"

#include <cerrno>
#include <charconv>
#include <netinet/tcp.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace bench::load {
namespace {

void watch(const surroundings& around, int operation, int socket, std::uint32_t index,
           std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = index;
  ::epoll_ctl(around.epoll, operation, socket, &event);
}

/// The value of Content-Length in a head; 0 if it has none. Every server here writes it the same
/// way.
std::size_t content_length(std::string_view head) {
  for (const std::string_view name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
    const auto at = head.find(name);
    if (at == std::string_view::npos) continue;
    std::size_t length = 0;
    std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
    return length;
  }
  return 0;
}

} // namespace

void connection::begin(surroundings& around, std::uint32_t index, clock::time_point scheduled) {
  started_ = scheduled;
  received_ = 0;
  answer_size_.reset();
  socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_) return fail(around, errno);
  const linger no_time_wait{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &no_time_wait, sizeof no_time_wait);
  if (around.keep_alive) {
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const auto* address = reinterpret_cast<const sockaddr*>(&around.server);
  if (::connect(socket_.get(), address, sizeof around.server) < 0 && errno != EINPROGRESS) {
    return fail(around, errno);
  }
  state_ = state::connecting;
  // On loopback the handshake is usually complete by now.
  const bool sent = send_request(around);
  if (idle()) return;
  watch(around, EPOLL_CTL_ADD, socket_.get(), index, sent ? EPOLLIN : EPOLLOUT);
}

void connection::on_event(surroundings& around, std::uint32_t index, std::uint32_t events) {
  if (state_ != state::connecting) return read(around);
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(around, error);
  if ((events & EPOLLOUT) != 0 && send_request(around)) {
    watch(around, EPOLL_CTL_MOD, socket_.get(), index, EPOLLIN);
  }
}

/// False if the socket is not connected yet, or if the transaction has failed and is idle().
bool connection::send_request(surroundings& around) {
  const auto sent =
      ::send(socket_.get(), around.request.data(), around.request.size(), MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(around.request.size())) {
    state_ = state::reading;
    return true;
  }
  if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return false;
  fail(around, sent < 0 ? errno : EIO);
  return false;
}

void connection::read(surroundings& around) {
  for (;;) {
    const auto n = ::recv(socket_.get(), buffer_.data() + received_, buffer_.size() - received_, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0 && state_ == state::awaiting_end) { // a reset after the whole answer is no failure
      around.results.answered(clock::now() - started_);
      return close();
    }
    if (n < 0) return fail(around, errno);
    if (n == 0 && around.keep_alive && received_ == 0) {
      around.results.closed_when_idle();
      return close();
    }
    if (n == 0) return fail(around, 0);
    received_ += static_cast<std::size_t>(n);
    if (!answer_size_) parse_head(around);
    if (answer_size_ && received_ >= *answer_size_) {
      if (around.keep_alive) return answer_complete(around);
      state_ = state::awaiting_end;
    }
    if (received_ == buffer_.size()) return fail(around, EMSGSIZE);
  }
}

void connection::parse_head(surroundings& around) {
  const std::string_view text{buffer_.data(), received_};
  const auto end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return;
  const std::string_view head = text.substr(0, end);
  if (head.substr(8, 4) != " 200") around.results.wrong_status();
  answer_size_ = end + 4 + content_length(head);
}

/// With keep-alive: on with the next one.
void connection::answer_complete(surroundings& around) {
  const auto now = clock::now();
  around.results.answered(now - started_);
  started_ = now;
  received_ = 0;
  answer_size_.reset();
  send_request(around);
}

void connection::close() noexcept {
  socket_.reset();
  state_ = state::idle;
}

void connection::fail(surroundings& around, int error) {
  around.results.failed(failure_of(error));
  close();
}

} // namespace bench::load
