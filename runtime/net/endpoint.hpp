#pragma once
// Where a service listens, as a user writes it: "tcp://127.0.0.1:8080", "tcp://[::1]:0". A value;
// pure, and nothing is looked up here.
//
//   endpoint := "tcp://" host ":" port
//   host     := name | IPv4 address | "[" IPv6 address "]"      "[::]" is both families unless
//   v6_only is set port     := 0..65535, decimal; 0 lets the kernel choose

#include <coppice/runtime/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coppice {

enum class endpoint_kind { tcp };

struct endpoint {
  endpoint_kind kind = endpoint_kind::tcp;
  std::string host = "127.0.0.1"; ///< without the brackets
  std::uint16_t port = 0;
  bool operator==(const endpoint&) const = default;
};

/// The error's verb is "parse endpoint", its object the text, and its reason says what to write
/// instead.
[[nodiscard]] result<endpoint> parse_endpoint(std::string_view text);

/// What parse_endpoint reads.
[[nodiscard]] std::string to_string(const endpoint& where);

} // namespace coppice
