#pragma once
// When a program counts as ready: plain values, and the pure parts of finding out.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/net/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coppice {

/// `ready_when::started`, `ready_when::connects("tcp://127.0.0.1:6379")`,
/// `ready_when::answers("http://127.0.0.1:8080/health")`, `ready_when::notifies`.
struct ready_when {
  enum class kind { started, connects, answers, notifies };

  kind how = kind::started;
  std::string where{}; ///< of `connects` and `answers`, as it was given

  /// As soon as it has been exec'd: for programs that cannot say it.
  static const ready_when started;
  /// When it says READY=1 to NOTIFY_SOCKET (sd_notify(3)): the surest of all. Only its main process
  /// is heard. The socket has an abstract name, so the program must share our network namespace.
  static const ready_when notifies;
  /// When a connection to it is accepted: "tcp://HOST:PORT" or "unix:PATH", an absolute path.
  /// HOST is an address or "localhost". Whoever listens there is taken for the program.
  [[nodiscard]] static ready_when connects(std::string where) {
    return {kind::connects, std::move(where)};
  }
  /// When GET is answered with 2xx or 3xx: "http://HOST:PORT/PATH".
  [[nodiscard]] static ready_when answers(std::string url) {
    return {kind::answers, std::move(url)};
  }
  bool operator==(const ready_when&) const = default;
};
inline const ready_when ready_when::started{};
inline const ready_when ready_when::notifies{kind::notifies, {}};

/// Where to knock.
struct probe_target {
  std::string path{}; ///< of a unix socket; empty: tcp
  std::string host{}; ///< an address
  std::uint16_t port = 0;
  std::string request_target{}; ///< "/health"; empty: connecting is enough
  std::string authority{};      ///< "127.0.0.1:8080"
  bool operator==(const probe_target&) const = default;
};
/// Errors: verb "parse", object the text. Only for `connects` and `answers`.
[[nodiscard]] result<probe_target> parse_target(const ready_when& when);

/// The bytes of the probe's request.
[[nodiscard]] std::string request_for(const probe_target& target);
/// What the first bytes of an answer mean: nothing yet; true: 2xx or 3xx; false: anything else.
[[nodiscard]] std::optional<bool> answer_is_good(std::string_view bytes);

/// Whether a datagram of sd_notify(3) says READY=1. Other assignments are not for us.
[[nodiscard]] bool says_ready(std::string_view datagram);

} // namespace coppice
