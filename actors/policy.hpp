#pragma once
// How a pool shares its connections out among its workers:
//
//     pool("web", web).listen("tcp://0.0.0.0:8080").policy(least_connections)
//
// Only workers that are ready and have room are ever chosen from. Plain values; a function of your
// own is called in the primary, on its loop, and must not block.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice {

/// A worker that can be given a connection, as the primary knows it.
struct worker_load {
  std::uint64_t slot = 0;        ///< web/2 is 2; the same after a restart
  std::uint64_t incarnation = 0; ///< counts up with the restarts of the slot
  std::size_t credit = 0;        ///< how many more it can be given before it takes one
  /// Connections that it has, taken or not. Without protection a connection counts until it is
  /// taken. What was closed is known limits::taken_sweep later at most, while the worker lives.
  std::size_t open = 0;
};

/// The connection that is to be given out.
struct newcomer {
  /// The client's, without its port: "192.0.2.7", "2001:db8::1". Empty if it has left. Only for a
  /// function of your own; valid during the call.
  std::string_view address{};
  /// Which of the pool's endpoints accepted it, in the order of `listen`, from 0.
  std::uint32_t listener = 0;
  /// A worker has held it, and has died or drained.
  bool returned = false;
  /// What ip_hash and sticky go by, a hash; 0: nothing.
  std::uint64_t affinity = 0;
};

/// Answers an index into `ready`, which has one worker at least, in the order of their slots.
using choose_worker =
    std::function<std::size_t(std::span<const worker_load> ready, const newcomer& who)>;

enum class policy_kind {
  /// In turn.
  round_robin,
  /// The one with the fewest connections open; in turn among equals. For long connections.
  least_connections,
  /// Of two at random the one with fewer connections open.
  power_of_two_choices,
  /// In turn, by weight: see `weighted`.
  weighted,
  /// The same slot for the same client address, port not counted, as long as that worker has room.
  ip_hash,
  sticky_cookie, ///< see `sticky_cookie`
  sticky_header, ///< see `sticky_header`
  custom,        ///< see `custom`
};

inline constexpr auto round_robin = policy_kind::round_robin;
inline constexpr auto least_connections = policy_kind::least_connections;
inline constexpr auto power_of_two_choices = policy_kind::power_of_two_choices;
inline constexpr auto ip_hash = policy_kind::ip_hash;

/// "ip_hash", ...
[[nodiscard]] const char* to_string(policy_kind kind) noexcept;

struct dispatch_policy {
  dispatch_policy() = default;
  dispatch_policy(policy_kind kind) // NOLINT(google-explicit-constructor): .policy(ip_hash)
      : what{kind} {}

  policy_kind what = policy_kind::round_robin;
  std::vector<unsigned> weights{}; ///< of weighted
  std::string name{};              ///< of the cookie or header field
  choose_worker choose{};          ///< of custom
};

/// Slot 1 gets weights[0] of every `sum of weights` connections, and so on, well mixed (nginx's
/// smooth weighted round robin). As many as the pool has instances; slots that are added later
/// weigh 1. A slot of weight 0 gets a connection only while no other has room.
[[nodiscard]] inline dispatch_policy weighted(std::vector<unsigned> weights) {
  dispatch_policy made{policy_kind::weighted};
  made.weights = std::move(weights);
  return made;
}

/// The same slot for the same value of this cookie in the connection's first HTTP request, as long
/// as that worker has room; in turn without the cookie. The primary looks at the first bytes and
/// leaves them in the socket, limits::first_bytes of them for limits::first_bytes_wait at most.
[[nodiscard]] inline dispatch_policy sticky_cookie(std::string name) {
  dispatch_policy made{policy_kind::sticky_cookie};
  made.name = std::move(name);
  return made;
}

/// The same by the value of a header field, "X-Session"; its name is compared without case.
[[nodiscard]] inline dispatch_policy sticky_header(std::string name) {
  dispatch_policy made{policy_kind::sticky_header};
  made.name = std::move(name);
  return made;
}

/// Whatever `choose` answers. If that is no index, or it throws, the connection goes to the next in
/// turn, and the log says so the 1st, 2nd, 4th, ... time.
[[nodiscard]] inline dispatch_policy custom(choose_worker choose) {
  dispatch_policy made{policy_kind::custom};
  made.choose = std::move(choose);
  return made;
}

} // namespace coppice
