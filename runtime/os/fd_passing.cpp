#include <coppice/runtime/os/fd_passing.hpp>

#include <coppice/runtime/limits.hpp>

#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace coppice::os {
namespace {

constexpr std::size_t control_space = CMSG_SPACE(limits::control_fds * sizeof(int));

/// Takes over every descriptor that the kernel has installed for this message: also those of one
/// that was cut short, which would leak otherwise.
void take_fds(msghdr& message, std::vector<unique_fd>& fds) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    fds.reserve(fds.size() + count);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

} // namespace

send_result send_with_fds(int socket, std::span<const std::byte> bytes,
                          std::span<const int> fds) noexcept {
  // An empty packet would read as the end of the connection.
  if (bytes.empty() || fds.size() > limits::control_fds) return {io_status::failed, 0, EINVAL};

  alignas(cmsghdr) char control[control_space];
  iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    std::memset(control, 0, message.msg_controllen);
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
  }
  for (;;) {
    const ssize_t n = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return {io_status::done, static_cast<std::size_t>(n), 0};
    switch (errno) {
    case EINTR:
      continue;
    case EAGAIN:
    case ETOOMANYREFS:
      return {io_status::would_block, 0, errno};
    case EPIPE:
    case ECONNRESET:
      return {io_status::closed, 0, errno};
    default:
      return {io_status::failed, 0, errno};
    }
  }
}

received receive_with_fds(int socket, std::span<std::byte> buffer, std::vector<unique_fd>& fds) {
  alignas(cmsghdr) char control[control_space];
  iovec piece{buffer.data(), buffer.size()};
  msghdr message{};
  const std::size_t fds_before = fds.size();
  for (;;) {
    message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0) {
      switch (errno) {
      case EINTR:
      // The kernel reports it once and clears it; what the peer sent before it died is still
      // queued.
      case ECONNRESET:
        continue;
      case EAGAIN:
        return {io_status::would_block, 0, false, false, 0};
      default:
        return {io_status::failed, 0, false, false, errno};
      }
    }
    take_fds(message, fds);
    received got{io_status::done, static_cast<std::size_t>(n),
                 (message.msg_flags & MSG_CTRUNC) != 0, (message.msg_flags & MSG_TRUNC) != 0, 0};
    if (got.truncated_fds) fds.resize(fds_before);
    if (n == 0) got.status = io_status::closed;
    return got;
  }
}

} // namespace coppice::os
