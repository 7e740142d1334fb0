#pragma once
// Listening sockets: how they are opened, and what one accept(2) can bring.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/net/endpoint.hpp>
#include <coppice/runtime/net/listen_options.hpp>
#include <coppice/runtime/net/socket_address.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <system_error>

namespace coppice {

/// Opens, binds and listens on a tcp endpoint; non-blocking, closed on exec. A name as host is
/// looked up here, which may block; the first of its addresses is taken. The error names the
/// endpoint: "bind tcp://0.0.0.0:80: Permission denied".
[[nodiscard]] result<os::unique_fd> listen_on(const endpoint& where,
                                              const listen_options& options = {});

/// Opens and binds a udp endpoint; non-blocking, closed on exec. Looked up, and said, as above.
[[nodiscard]] result<os::unique_fd> bind_datagrams(const endpoint& where,
                                                   const listen_options& options = {});

/// SO_OOBINLINE on `fd` (borrowed), for the connections that will be accepted from it. False: errno
/// says why.
[[nodiscard]] bool keep_urgent_in_line(int fd) noexcept;

/// What one accept(2) brought.
enum class accept_kind {
  connection,  ///< `socket` holds it
  would_block, ///< nobody waits
  try_again,   ///< this one failed before it was accepted, or a signal came; there may be more
  exhausted,   ///< no descriptors or memory: rest, then try again
  failed,      ///< the listening socket itself is unusable
};

/// How accept(2) classifies `code`, an errno: it passes on pending network errors of the new
/// connection, which are not the listener's.
[[nodiscard]] accept_kind classify_accept_error(int code) noexcept;

struct accept_result {
  accept_kind kind = accept_kind::would_block;
  os::unique_fd socket; ///< non-blocking, closed on exec
  std::error_code why;  ///< for every other kind than connection
};

/// Accepts one connection from the listening socket `fd` (borrowed, non-blocking).
[[nodiscard]] accept_result accept_one(int fd) noexcept;

} // namespace coppice
