#pragma once
// What to do with a connection whose worker is dead, or has given it back: decided from a copy of
// its slot and from what the kernel has counted. Pure. The copy is whatever the worker wrote: every
// number is checked here before it is believed, and what cannot be true ends that connection alone.

#include <coppice/runtime/lease/lease_layout.hpp>
#include <coppice/runtime/lease/protection.hpp>

#include <cstdint>

namespace coppice {

/// What the kernel says about a TCP connection (os::tcp_counters), of one moment at which nobody
/// works on it.
struct lease_witness {
  std::uint64_t taken = 0;   ///< bytes that recv has taken out
  std::uint64_t written = 0; ///< bytes that send has put in, not counting our FIN
  bool fin_sent = false;     ///< our side is shut down
  bool over = false;         ///< both sides are, or it was reset: nothing can be done any more
};

/// What its worker's end says about an exchange.
enum class blame : std::uint8_t {
  none,    ///< it was another one's, or nobody's
  kill,    ///< its handler was on the CPU. SIGKILL: may be anybody's doing
  crash,   ///< the same, and any other end
  suspect, ///< a crash, and no handler was on the CPU as far as is known: what goes on behind an
           ///< asynchronous one is not. It may be any exchange's doing that was handled
};

/// What has happened to one exchange so far; it begins anew with the next one.
struct exchange_history {
  std::uint64_t in_off = 0;  ///< which exchange that is
  std::uint32_t moves = 0;   ///< workers that it has been taken from
  std::uint32_t kills = 0;   ///< of those, while its handler was on the CPU, by SIGKILL, or as a
                             ///< suspect
  std::uint32_t crashes = 0; ///< the same, otherwise
};

enum class lease_fate : std::uint8_t {
  as_offered, ///< the worker has not taken it: another one gets it as it is
  goes_on,    ///< another worker goes on with it, as `next` and the ranges say
  ended,      ///< nobody is there any more: close our copy
  reset,      ///< the client cannot be told how far its exchange has come: abort
};

/// A range of the slot's bytes.
struct slot_range {
  std::uint32_t at = 0; ///< from the slot's start
  std::uint32_t size = 0;
};

struct lease_verdict {
  lease_fate fate = lease_fate::reset;
  const char* why = ""; ///< of `reset`
  lease_state next;     ///< how the next worker finds it
  std::uint32_t attempt = 1;
  std::uint64_t taken = 0; ///< the kernel's
  std::uint64_t written = 0;
  slot_range input;  ///< received and not consumed: ends at `taken`
  slot_range output; ///< staged and not written: begins at `written`
  exchange_history history;
};

/// `head` is a copy of the slot of lease `id`; `before` its history so far.
[[nodiscard]] lease_verdict judge(const slot_head& head, std::uint64_t id,
                                  const lease_witness& kernel, protection level, blame whose,
                                  const exchange_history& before) noexcept;

} // namespace coppice
