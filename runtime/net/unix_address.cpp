#include <coppice/runtime/net/unix_address.hpp>

#include <coppice/runtime/os/unique_fd.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace coppice {

unix_address unix_address_of(const endpoint& where) noexcept {
  unix_address made;
  made.address.sun_family = AF_UNIX;
  const std::size_t zero_before = where.kind == endpoint_kind::unix_abstract ? 1 : 0;
  const std::size_t zero_behind = 1 - zero_before;
  std::memcpy(made.address.sun_path + zero_before, where.name.data(), where.name.size());
  made.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + zero_before +
                                     where.name.size() + zero_behind);
  return made;
}

std::string who_listens_at(const unix_address& address) {
  const os::unique_fd visitor{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (::connect(visitor.get(), address.get(), address.size) != 0)
    return errno == ECONNREFUSED || errno == ENOENT ? std::string{} : "another process";
  ucred owner{}; // of whoever called listen(2)
  socklen_t size = sizeof owner;
  if (::getsockopt(visitor.get(), SOL_SOCKET, SO_PEERCRED, &owner, &size) != 0 || owner.pid <= 0)
    return "another process";
  return "process " + std::to_string(owner.pid);
}

} // namespace coppice
