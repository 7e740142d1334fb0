#pragma once
// The addresses that the kernel gives for a socket, as text.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/net/endpoint.hpp>

#include <string>
#include <sys/socket.h>

namespace coppice {

/// An address of `size` bytes: host and port of IPv4 or IPv6, where an IPv4 address mapped into
/// IPv6 is shown as IPv4; the name of a unix socket, which is empty if it has none. Fails for other
/// families.
[[nodiscard]] result<endpoint> endpoint_of(const sockaddr_storage& address, socklen_t size);

/// Where the socket `fd` (borrowed) is bound: the real port after port 0. Errors: getsockname(2).
[[nodiscard]] result<endpoint> local_endpoint(int fd);

/// Who is at the other end of `fd` (borrowed): "127.0.0.1:51234", "[::1]:51234"; over a unix socket
/// "unix:" and the name that the client has bound, which most have not. Errors: getpeername(2).
[[nodiscard]] result<std::string> peer_address(int fd);

/// The same without the port: "127.0.0.1", "::1". Fails over a unix socket.
[[nodiscard]] result<std::string> peer_host(int fd);

} // namespace coppice
