#pragma once
// A datagram that a worker has received from a udp endpoint, and the way to answer it. It is valid
// during the call that it is given to.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>

namespace coppice {

class datagram {
public:
  /// `socket` is borrowed, and so is everything else. `handled` is called once, if it is set.
  datagram(int socket, std::uint32_t listener, const sockaddr_storage& sender,
           socklen_t sender_size, std::string_view bytes, bool truncated,
           const std::function<void()>& handled) noexcept
      : socket_{socket},
        listener_{listener},
        sender_{sender},
        sender_size_{sender_size},
        bytes_{bytes},
        truncated_{truncated},
        handled_{&handled} {}
  datagram(const datagram&) = delete;
  datagram& operator=(const datagram&) = delete;

  /// May be none: an empty datagram is one, too.
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  /// The sender has sent more, which is lost: see datagram_options::largest.
  [[nodiscard]] bool truncated() const noexcept { return truncated_; }
  /// Which of the pool's endpoints it came to.
  [[nodiscard]] std::uint32_t listener() const noexcept { return listener_; }
  /// Who sent it, or says so: UDP proves nothing. "127.0.0.1:51234", "[::1]:51234".
  [[nodiscard]] std::string peer() const;

  /// Sends one datagram to the sender, from the endpoint's port. It never waits. Errors:
  /// sendto(2); EAGAIN if the socket's buffer is full, EMSGSIZE if the bytes are more than a
  /// datagram can have.
  std::error_code reply(std::string_view bytes);

private:
  friend class datagram_sockets;
  void count();

  int socket_;
  std::uint32_t listener_;
  const sockaddr_storage& sender_;
  socklen_t sender_size_;
  std::string_view bytes_;
  bool truncated_;
  const std::function<void()>* handled_; ///< null: it is counted
};

} // namespace coppice
