#include <coppice/runtime/worker/datagram_sockets.hpp>

#include <coppice/runtime/net/socket_address.hpp>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

namespace coppice {

namespace {

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

/// What a call on the socket can meet that says nothing about the socket: an error that an earlier
/// answer has come back with (ICMP), or none at all.
bool is_passing(int code) noexcept {
  switch (code) {
  case EAGAIN:
  case EINTR:
  case ENOMEM:
  case ENOBUFS:
  case ECONNREFUSED:
  case EHOSTUNREACH:
  case ENETUNREACH:
  case EHOSTDOWN:
  case ENETDOWN:
  case EPROTO:
    return true;
  default:
    return false;
  }
}

} // namespace

// ---- one datagram

std::string datagram::peer() const {
  const auto where = endpoint_of(sender_, sender_size_);
  if (!where) return "unknown";
  const bool v6 = where->host.find(':') != std::string::npos;
  return (v6 ? "[" + where->host + "]" : where->host) + ":" + std::to_string(where->port);
}

// Before the answer is out: whoever has it may kill this worker, and finds that it has served.
std::error_code datagram::reply(std::string_view bytes) {
  count();
  const auto n = ::sendto(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                          reinterpret_cast<const sockaddr*>(&sender_), sender_size_);
  return n < 0 ? last_error() : std::error_code{};
}

void datagram::count() {
  if (const auto* const handled = std::exchange(handled_, nullptr); handled != nullptr && *handled)
    (*handled)();
}

// ---- all of them

void datagram_sockets::serve_with(handler each, datagram_options options) {
  if (options.largest == 0 || options.largest > limits::datagram)
    throw std::invalid_argument{"datagram_options::largest = " + std::to_string(options.largest) +
                                ": is not within 1 and " + std::to_string(limits::datagram)};
  each_ = std::move(each);
  largest_ = options.largest;
  if (buffer_) make_room();
}

void datagram_sockets::make_room() {
  // Not filled with anything: what no datagram has reached has no memory.
  buffer_.reset(new char[limits::datagram_batch * largest_]);
  for (std::size_t i = 0; i < pieces_.size(); ++i)
    pieces_[i] = {buffer_.get() + i * largest_, largest_};
}

void datagram_sockets::add(os::unique_fd socket, std::uint32_t listener) {
  if (!buffer_) make_room();
  auto& added = endpoints_.emplace_back(
      endpoint{asio::posix::stream_descriptor{loop_, socket.release()}, listener});
  wait(added);
}

void datagram_sockets::close() {
  for (auto& each : endpoints_) close(each);
}

// asio leaves it to close(2) to take a descriptor out of its epoll set, which does not happen while
// others hold the socket (epoll(7), Questions and answers 6); release does it itself.
void datagram_sockets::close(endpoint& one) {
  if (one.socket.is_open()) os::unique_fd{one.socket.release()};
}

void datagram_sockets::wait(endpoint& from) {
  from.socket.async_wait(asio::posix::descriptor_base::wait_read,
                         [alive = alive_, &from](const std::error_code& stopped) {
                           if (*alive != nullptr && !stopped) (*alive)->receive(from);
                         });
}

void datagram_sockets::receive(endpoint& from) {
  std::array<mmsghdr, limits::datagram_batch> batch{};
  for (std::size_t i = 0; i < batch.size(); ++i) {
    auto& header = batch[i].msg_hdr;
    header.msg_name = &senders_[i];
    header.msg_namelen = sizeof senders_[i];
    header.msg_iov = &pieces_[i];
    header.msg_iovlen = 1;
  }
  const int n = ::recvmmsg(from.socket.native_handle(), batch.data(),
                           static_cast<unsigned>(batch.size()), MSG_DONTWAIT, nullptr);
  if (n < 0 && !is_passing(errno)) {
    const auto why = last_error();
    close(from);
    if (failed_) failed_(why);
    return;
  }
  for (int i = 0; i < n && from.socket.is_open(); ++i) {
    const auto& got = batch[static_cast<std::size_t>(i)];
    datagram one{from.socket.native_handle(),
                 from.listener,
                 senders_[static_cast<std::size_t>(i)],
                 got.msg_hdr.msg_namelen,
                 {static_cast<const char*>(got.msg_hdr.msg_iov->iov_base), got.msg_len},
                 (got.msg_hdr.msg_flags & MSG_TRUNC) != 0,
                 handled_};
    try {
      each_(one);
    } catch (...) {
      if (!thrown_) throw;
      thrown_(std::current_exception());
    }
    one.count();
  }
  if (from.socket.is_open()) wait(from);
}

} // namespace coppice
