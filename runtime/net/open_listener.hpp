#pragma once
// A listening socket, whatever the endpoint, and what belongs to it.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/net/inherited_sockets.hpp>
#include <coppice/runtime/net/listen_options.hpp>
#include <coppice/runtime/net/socket_file.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <string>

namespace coppice {

struct open_listener {
  os::unique_fd socket; ///< non-blocking, closed on exec
  std::string name;     ///< "tcp://127.0.0.1:8080", with the real port
  /// The kernel counts the bytes of its connections (os::read_tcp_counters), so that they can go on
  /// when their worker is dead.
  bool counted = false;
  socket_file file{}; ///< of a unix socket that we have bound to a path
};

/// Opens it, or takes it over from `inherited`. The error names the endpoint: "bind
/// tcp://0.0.0.0:80: Permission denied". May block: a host, an owner and a group are looked up.
[[nodiscard]] result<open_listener> listen_at(const listen_spec& spec,
                                              inherited_sockets& inherited);

} // namespace coppice
