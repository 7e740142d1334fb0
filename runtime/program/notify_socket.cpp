#include <coppice/runtime/program/notify_socket.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/program/readiness.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace coppice {

result<std::unique_ptr<notify_socket>> notify_socket::open(asio::io_context& loop, logger& log,
                                                           std::string name,
                                                           std::function<void()> on_ready) {
  os::unique_fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) return system_failure("open notify socket of", name);
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
    return system_failure("open notify socket of", name);
  // An address of no more than its family: the kernel chooses a free abstract name (unix(7),
  // Autobind). There is no file whose directory a program with another uid could not enter.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)) != 0)
    return system_failure("bind notify socket of", name);
  socklen_t size = sizeof address;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return system_failure("bind notify socket of", name);
  const std::size_t length = size - offsetof(sockaddr_un, sun_path);
  std::string text{address.sun_path, length};
  text[0] = '@'; // for the zero byte with which abstract names begin (sd_notify(3))
  return std::unique_ptr<notify_socket>{new notify_socket{
      loop, log, std::move(name), std::move(on_ready), std::move(fd), std::move(text)}};
}

notify_socket::notify_socket(asio::io_context& loop, logger& log, std::string name,
                             std::function<void()> on_ready, os::unique_fd fd, std::string address)
    : log_{log},
      name_{std::move(name)},
      on_ready_{std::move(on_ready)},
      address_{std::move(address)},
      socket_{loop, fd.release()} {}

notify_socket::~notify_socket() = default;

void notify_socket::hear(pid_t pid) {
  pid_ = pid;
  wait();
}

void notify_socket::wait() {
  socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [alive = std::weak_ptr{alive_}](const std::error_code& failed) {
                       if (auto self = alive.lock(); self && !failed) (*self)->receive();
                     });
}

void notify_socket::receive() {
  bool ready = false;
  for (std::size_t n = 0; n < limits::notify_batch && receive_one(ready); ++n) {
  }
  wait();
  if (ready)
    if (const auto tell = std::exchange(on_ready_, nullptr)) tell();
}

bool notify_socket::receive_one(bool& ready) {
  std::array<char, limits::notification> text{};
  alignas(cmsghdr) char
      control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(limits::control_fds * sizeof(int))];
  iovec piece{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) return false;
  pid_t sender = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred who{};
      std::memcpy(&who, CMSG_DATA(part), sizeof who);
      sender = who.pid;
    } else if (part->cmsg_type == SCM_RIGHTS) {
      // FDSTORE is not for us; BARRIER wants just this: the descriptor closed once we have read.
      const std::size_t bytes = part->cmsg_len - CMSG_LEN(0);
      for (std::size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part) + at, sizeof fd);
        os::unique_fd{fd}.reset();
      }
    }
  }
  if (sender == pid_) {
    ready = ready || says_ready({text.data(), static_cast<std::size_t>(n)});
  } else if (!std::exchange(stranger_told_, true)) {
    log_.warn("{}: process {} notifies in its name, and is not heard", name_, sender);
  }
  return true;
}

} // namespace coppice
