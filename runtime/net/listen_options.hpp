#pragma once
// How a service listens, besides where: what may stand behind an endpoint.
//
//   listen := endpoint [ "?" option ( "&" option )* ]
//   option := name "=" value        each name once; the names are those of the fields below
//
//     tcp://0.0.0.0:80?backlog=512&keepalive=60       unix:///run/app.sock?mode=0660&group=www-data
//
// Values; pure.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/net/endpoint.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace coppice {

struct listen_options {
  // ---- tcp and unix
  /// Connections that the kernel keeps for us, 1 to 1,000,000; it cuts the number at
  /// net.core.somaxconn (listen(2)).
  int backlog = 4096;

  // ---- tcp and udp
  /// IPV6_V6ONLY, for IPv6 addresses. False: "[::]" takes IPv4 clients too (ipv6(7)).
  bool v6_only = false;

  // ---- tcp
  /// SO_REUSEADDR: listen although connections of an earlier process are in TIME_WAIT (socket(7)).
  bool reuse_addr = true;
  /// TCP_NODELAY on the listening socket. Linux hands it down to every connection accepted, so that
  /// it costs no call per connection; without it the second of two small answers waits for the
  /// client's delayed acknowledgement (tcp(7)).
  bool tcp_nodelay = true;
  /// SO_KEEPALIVE: a client that is silent for so long is asked whether it is there still, and
  /// again after as long each, net.ipv4.tcp_keepalive_probes times. Whole seconds, up to 32767; 0:
  /// never.
  std::chrono::seconds keepalive{0};
  /// TCP_DEFER_ACCEPT: a connection is not seen before its first byte has come, or this time has
  /// passed. Whole seconds, up to 3600; 0: it is seen at once.
  std::chrono::seconds defer_accept{0};
  /// TCP_FASTOPEN: so many connections may bring data in their first packet (RFC 7413), up to
  /// 65535; 0: none may. Takes bit 2 of net.ipv4.tcp_fastopen. Such connections end with their
  /// worker: what the kernel counts of them does not prove what has been read.
  int fast_open = 0;

  // ---- unix, with a path
  /// Who may connect: those who may write (unix(7)). Octal, 0 to 0777.
  unsigned mode = 0600;
  /// Whose the file is: names or numbers; empty: as it comes. Another user takes CAP_CHOWN.
  std::string owner{};
  std::string group{};

  bool operator==(const listen_options&) const = default;
};

/// What a text says in all.
struct listen_spec {
  endpoint where;
  listen_options options{};
  bool operator==(const listen_spec&) const = default;
};

/// The error's verb is "parse endpoint", its object the text; its reason names the option and says
/// what is wrong with it.
[[nodiscard]] result<listen_spec> parse_listen(std::string_view text);

/// Why connections of this endpoint end with the worker that has taken them, whatever the pool's
/// protection; empty: they need not, as far as can be said before an inherited socket is looked at.
[[nodiscard]] std::string_view why_unprotected(const listen_spec& spec) noexcept;

} // namespace coppice
