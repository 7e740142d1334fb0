#include "support/http_exchange.hpp"

#include "support/check.hpp"

#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <sys/socket.h>

namespace bench {

http_exchange::http_exchange(std::uint16_t port, std::string_view path)
    : socket_{check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")} {
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(port);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string request = "GET ";
  request.append(path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  broken_ =
      ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) < 0 ||
      ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(request.size());
}

/// Every server here answers with Content-Length and closes, so the answer is complete when its end
/// of file is here.
http_exchange::progress http_exchange::step() {
  while (!broken_) {
    std::array<char, 1024> piece;
    const auto n = ::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return progress::pending;
    if (n < 0) break;
    if (n > 0) {
      text_.append(piece.data(), static_cast<std::size_t>(n));
      continue;
    }
    const auto end = text_.find("\r\n\r\n");
    if (end == std::string::npos || text_.substr(8, 4) != " 200") break;
    head_size_ = end + 4;
    return progress::answered;
  }
  broken_ = true;
  return progress::broken;
}

} // namespace bench
