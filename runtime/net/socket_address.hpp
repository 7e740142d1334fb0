#pragma once
// The addresses that the kernel gives for a socket, as text.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/net/endpoint.hpp>

#include <string>

struct sockaddr_storage;

namespace coppice {

/// Host and port of an IPv4 or IPv6 address; an IPv4 address mapped into IPv6 is shown as IPv4.
/// Fails for other families.
[[nodiscard]] result<endpoint> endpoint_of(const sockaddr_storage& address);

/// Where the socket `fd` (borrowed) is bound: the real port after port 0. Errors: getsockname(2).
[[nodiscard]] result<endpoint> local_endpoint(int fd);

/// Who is at the other end of `fd` (borrowed): "127.0.0.1:51234", "[::1]:51234". Errors:
/// getpeername(2).
[[nodiscard]] result<std::string> peer_address(int fd);

/// The same without the port: "127.0.0.1", "::1".
[[nodiscard]] result<std::string> peer_host(int fd);

} // namespace coppice
