#pragma once
// Where a service listens, as a user writes it: "tcp://127.0.0.1:8080", "unix:///run/app.sock". A
// value; pure, and nothing is looked up here. What may follow behind a '?' is in
// listen_options.hpp.
//
//   endpoint := "tcp://" host ":" port       "[::]" is both families unless v6_only is set
//             | "udp://" host ":" port
//             | "unix://" path               absolute; a socket in the file system
//             | "unix://@" text              a name in Linux's abstract namespace (unix(7))
//             | "fd://" (number | text)      a listening socket that the process has inherited, by
//                                            its number or its name in LISTEN_FDNAMES
//   host     := name | IPv4 address | "[" IPv6 address "]"
//   port     := 0..65535, decimal; 0 lets the kernel choose

#include <coppice/runtime/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coppice {

enum class endpoint_kind { tcp, udp, unix_path, unix_abstract, inherited };

struct endpoint {
  endpoint_kind kind = endpoint_kind::tcp;
  std::string host = "127.0.0.1"; ///< of tcp and udp; without the brackets
  std::uint16_t port = 0;         ///< of tcp and udp
  std::string name{};             ///< of all others: the path, or what follows "@" or "fd://"
  bool operator==(const endpoint&) const = default;
};

/// The error's verb is "parse endpoint", its object the text, and its reason says what to write
/// instead.
[[nodiscard]] result<endpoint> parse_endpoint(std::string_view text);

/// What parse_endpoint reads.
[[nodiscard]] std::string to_string(const endpoint& where);

/// Whether the kernel chooses the address: then two that are written alike are not the same.
[[nodiscard]] inline bool is_chosen_by_kernel(const endpoint& where) noexcept {
  const bool has_port = where.kind == endpoint_kind::tcp || where.kind == endpoint_kind::udp;
  return has_port && where.port == 0;
}

} // namespace coppice
