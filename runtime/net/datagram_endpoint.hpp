#pragma once
// A bound datagram socket of a pool: the primary keeps it, and every worker gets a duplicate.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/net/listen_options.hpp>
#include <coppice/runtime/net/listening_socket.hpp>
#include <coppice/runtime/net/socket_address.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <cstdint>
#include <string>

namespace coppice {

struct datagram_endpoint {
  std::uint32_t listener = 0; ///< which of the pool's endpoints it is
  std::string name{};         ///< "udp://127.0.0.1:5353", with the real port
  os::unique_fd socket{};
};

/// Binds a udp endpoint.
[[nodiscard]] inline result<datagram_endpoint> bind_datagrams(const listen_spec& spec,
                                                              std::uint32_t listener) {
  auto socket = bind_datagrams(spec.where, spec.options);
  if (!socket) return tl::unexpected{socket.error()};
  auto real = local_endpoint(socket->get());
  if (!real) return tl::unexpected{real.error()};
  real->kind = endpoint_kind::udp;
  real->host = spec.where.host; // as the user chose it
  return datagram_endpoint{listener, to_string(*real), *std::move(socket)};
}

} // namespace coppice
