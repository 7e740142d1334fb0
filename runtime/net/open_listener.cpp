#include <coppice/runtime/net/open_listener.hpp>

#include <coppice/runtime/net/listening_socket.hpp>
#include <coppice/runtime/net/socket_address.hpp>
#include <coppice/runtime/net/unix_address.hpp>
#include <coppice/runtime/os/accounts.hpp>

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace coppice {

namespace {

result<open_listener> open_tcp(const listen_spec& spec) {
  auto socket = listen_on(spec.where, spec.options);
  if (!socket) return tl::unexpected{socket.error()};
  auto real = local_endpoint(socket->get());
  if (!real) return tl::unexpected{real.error()};
  real->host = spec.where.host; // what the user chose says more than the address it stands for
  return open_listener{*std::move(socket), to_string(*real), why_unprotected(spec).empty(), {}};
}

// ---- unix

struct identity {
  uid_t owner = static_cast<uid_t>(-1); ///< chown(2): as it is
  gid_t group = static_cast<gid_t>(-1);
};

result<identity> look_up(const listen_options& options) {
  identity found;
  if (!options.owner.empty()) {
    const auto owner = os::user_id(options.owner);
    if (!owner) return tl::unexpected{owner.error()};
    found.owner = *owner;
  }
  if (!options.group.empty()) {
    const auto group = os::group_id(options.group);
    if (!group) return tl::unexpected{group.error()};
    found.group = *group;
  }
  return found;
}

result<os::unique_fd> bound_unix(const endpoint& where) {
  os::unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd) return system_failure("open socket for", to_string(where));
  const auto address = unix_address_of(where);
  if (::bind(fd.get(), address.get(), address.size) == 0) return fd;
  const int code = errno;
  if (const auto owner = code == EADDRINUSE ? who_listens_at(address) : std::string{};
      !owner.empty())
    return failure_because("bind", to_string(where), owner + " is serving it");
  return system_failure("bind", to_string(where), code);
}

/// Nobody can connect before listen(2): until then the file may be anybody's.
result<void> dress(const listen_spec& spec) {
  const auto& path = spec.where.name;
  const auto who = look_up(spec.options);
  if (!who) return tl::unexpected{who.error()};
  if (::lchown(path.c_str(), who->owner, who->group) != 0)
    return system_failure("change owner of", path);
  if (::chmod(path.c_str(), spec.options.mode) != 0) return system_failure("change mode of", path);
  return {};
}

result<open_listener> open_unix(const listen_spec& spec) {
  open_listener made;
  made.name = to_string(spec.where);
  const bool has_file = spec.where.kind == endpoint_kind::unix_path;
  if (has_file) {
    auto file = socket_file::claim(spec.where);
    if (!file) return tl::unexpected{file.error()};
    made.file = *std::move(file);
  }
  auto socket = bound_unix(spec.where);
  if (!socket) return tl::unexpected{socket.error()};
  made.socket = *std::move(socket);
  if (has_file) {
    if (auto ours = made.file.bound(); !ours) return tl::unexpected{ours.error()};
    if (auto dressed = dress(spec); !dressed) return tl::unexpected{dressed.error()};
  }
  if (::listen(made.socket.get(), spec.options.backlog) != 0)
    return system_failure("listen on", made.name);
  return made;
}

// ---- inherited

int option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

/// IPPROTO_MPTCP counts for several connections beneath; with TCP_FASTOPEN see listen_options.
bool is_counted(int fd) {
  return option(fd, SOL_SOCKET, SO_DOMAIN) != AF_UNIX &&
         option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP &&
         option(fd, IPPROTO_TCP, TCP_FASTOPEN) == 0;
}

result<open_listener> take_over(const listen_spec& spec, inherited_sockets& inherited) {
  auto socket = inherited.take(spec.where.name);
  if (!socket) return tl::unexpected{socket.error()};
  const int fd = socket->get();
  const auto where = local_endpoint(fd);
  if (!where) return tl::unexpected{where.error()};
  if (where->kind == endpoint_kind::tcp) {
    const int on = spec.options.tcp_nodelay ? 1 : 0;
    if (!keep_urgent_in_line(fd) || ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
      return system_failure("set options of", to_string(spec.where));
  }
  return open_listener{*std::move(socket), to_string(*where), is_counted(fd), {}};
}

} // namespace

result<open_listener> listen_at(const listen_spec& spec, inherited_sockets& inherited) {
  switch (spec.where.kind) {
  case endpoint_kind::tcp:
    return open_tcp(spec);
  case endpoint_kind::unix_path:
  case endpoint_kind::unix_abstract:
    return open_unix(spec);
  case endpoint_kind::udp:
    return failure_because("listen on", to_string(spec.where), "datagrams are not listened for");
  case endpoint_kind::inherited:
    break;
  }
  return take_over(spec, inherited);
}

} // namespace coppice
