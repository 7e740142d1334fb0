#include "support/http_client.hpp"

#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>

namespace coppice::test {

http_client::http_client(int port, int timeout_ms) : timeout_ms_{timeout_ms} {
  os::unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
    socket_ = std::move(socket);
}

bool http_client::send(const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    pollfd p{socket_.get(), POLLOUT, 0};
    if (::poll(&p, 1, timeout_ms_) <= 0) return false;
    const auto n = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent,
                          MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

bool http_client::fill() {
  pollfd p{socket_.get(), POLLIN, 0};
  if (::poll(&p, 1, timeout_ms_) <= 0) return false;
  char bytes[65536];
  const auto n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
  if (n <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(n));
  return true;
}

std::optional<answer> http_client::receive() {
  if (!socket_) return std::nullopt;
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) return std::nullopt;
  answer got;
  got.head = buffer_.substr(0, end + 4);
  if (got.head.size() < 12) return std::nullopt;
  got.status = std::atoi(got.head.c_str() + 9);
  std::size_t length = 0;
  for (std::size_t at = got.head.find("\r\n"); at + 2 < got.head.size();
       at = got.head.find("\r\n", at + 2))
    if (::strncasecmp(got.head.c_str() + at + 2, "content-length:", 15) == 0)
      length = std::strtoul(got.head.c_str() + at + 17, nullptr, 10);
  while (buffer_.size() < end + 4 + length)
    if (!fill()) return std::nullopt;
  got.body = buffer_.substr(end + 4, length);
  buffer_.erase(0, end + 4 + length);
  return got;
}

std::optional<answer> http_client::get(const std::string& target) {
  if (!socket_ || !send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    return std::nullopt;
  return receive();
}

std::optional<std::string> http_client::receive_all() {
  for (;;) {
    pollfd p{socket_.get(), POLLIN, 0};
    if (::poll(&p, 1, timeout_ms_) <= 0) return std::nullopt;
    char bytes[65536];
    const auto n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (n < 0) return std::nullopt;
    if (n == 0) return std::move(buffer_);
    buffer_.append(bytes, static_cast<std::size_t>(n));
  }
}

void http_client::shut_write() { ::shutdown(socket_.get(), SHUT_WR); }

std::optional<answer> get(int port, const std::string& target) {
  http_client client{port};
  return client.get(target);
}

int pid_answering(int port) {
  const auto got = get(port, "/pid");
  return got && got->status == 200 ? std::atoi(got->body.c_str()) : 0;
}

} // namespace coppice::test
