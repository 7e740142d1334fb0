#pragma once
// Addresses of unix sockets as the kernel has them (unix(7)).

#include <coppice/runtime/net/endpoint.hpp>

#include <string>
#include <sys/socket.h>
#include <sys/un.h>

namespace coppice {

struct unix_address {
  sockaddr_un address{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&address);
  }
};

/// `where` is a unix endpoint, as parse_endpoint has accepted it.
[[nodiscard]] unix_address unix_address_of(const endpoint& where) noexcept;

/// Who listens there: "process 71"; empty: nobody does, for sure: the kernel refuses to connect,
/// which it does only for an address that no living socket has. Any other refusal counts as
/// somebody.
[[nodiscard]] std::string who_listens_at(const unix_address& address);

} // namespace coppice
