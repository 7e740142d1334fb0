#include "chaos/stream_client.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

namespace coppice::test {

std::string_view to_string(ending_of_call how) {
  switch (how) {
  case ending_of_call::done:
    return "done";
  case ending_of_call::closed:
    return "closed";
  case ending_of_call::reset:
    return "reset";
  case ending_of_call::surplus:
    return "followed by more";
  case ending_of_call::too_late:
    return "hung";
  }
  return "?";
}

namespace {

/// The value of a field, or nothing.
std::string_view field_of(std::string_view head, std::string_view field) {
  for (auto at = head.find("\r\n"); at != std::string_view::npos && at + 2 < head.size();
       at = head.find("\r\n", at + 2)) {
    const auto line = head.substr(at + 2);
    if (line.size() > field.size() && line[field.size()] == ':' &&
        ::strncasecmp(line.data(), field.data(), field.size()) == 0)
      return line.substr(field.size() + 2, line.find("\r\n") - field.size() - 2);
  }
  return {};
}

} // namespace

std::uint64_t received::number(std::string_view field) const {
  return std::strtoull(std::string{field_of(head, field)}.c_str(), nullptr, 10);
}
bool received::has(std::string_view field_line) const {
  return head.find(field_line) != std::string::npos;
}

stream_client::stream_client(int port, client_options how) : how_{std::move(how)} {
  os::unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (how_.receive_buffer > 0) // before the connection: it sizes the window
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &how_.receive_buffer,
                 sizeof how_.receive_buffer);
  const int yes = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, how_.host.c_str(), &to.sin_addr);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
    socket_ = std::move(socket);
}

ending_of_call stream_client::send(std::string_view bytes, std::size_t step) {
  while (!bytes.empty()) {
    pollfd p{socket_.get(), POLLOUT, 0};
    if (::poll(&p, 1, how_.deadline_ms) <= 0) return ending_of_call::too_late;
    const auto n = ::send(socket_.get(), bytes.data(), std::min(step, bytes.size()),
                          MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) continue;
    if (n < 0) return ending_of_call::reset;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return ending_of_call::done;
}

ending_of_call stream_client::fill() {
  pollfd p{socket_.get(), POLLIN, 0};
  if (::poll(&p, 1, how_.deadline_ms) <= 0) return ending_of_call::too_late;
  char bytes[64 * 1024];
  const auto n = ::recv(socket_.get(), bytes, std::min(how_.drip, sizeof bytes), MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN ? ending_of_call::done : ending_of_call::reset;
  if (n == 0) return ending_of_call::closed;
  buffer_.append(bytes, static_cast<std::size_t>(n));
  return ending_of_call::done;
}

ending_of_call stream_client::receive_head(std::string& head) {
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (const auto how = fill(); how != ending_of_call::done) {
      head = std::exchange(buffer_, {});
      return how;
    }
  head = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  return ending_of_call::done;
}

int stream_client::receive_interim() {
  std::string head;
  if (receive_head(head) != ending_of_call::done || head.size() < 12) return 0;
  return std::atoi(head.c_str() + 9);
}

received stream_client::receive() {
  received got;
  for (;;) {
    if (got.how = receive_head(got.head); got.how != ending_of_call::done) return got;
    got.status = got.head.starts_with("HTTP/1.1 ") ? std::atoi(got.head.c_str() + 9) : -1;
    if (got.status < 100 || got.status >= 200) break;
    ++got.interims;
  }
  got.length = got.number("Content-Length");
  while (buffer_.size() < got.length && got.how == ending_of_call::done) got.how = fill();
  got.body = buffer_.substr(0, got.length);
  buffer_.erase(0, got.length);
  if (got.body.size() == got.length) got.how = ending_of_call::done;
  return got;
}

void stream_client::shut_write() { ::shutdown(socket_.get(), SHUT_WR); }

ending_of_call stream_client::receive_end() {
  auto how = ending_of_call::done;
  while (buffer_.empty() && how == ending_of_call::done) how = fill();
  if (!buffer_.empty()) return ending_of_call::surplus;
  return how == ending_of_call::closed ? ending_of_call::done : how;
}

} // namespace coppice::test
