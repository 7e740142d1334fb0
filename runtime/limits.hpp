#pragma once
// Every bound of the runtime, by name, and how the bounds relate. A queue or a wait without a line
// here is a defect.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace coppice::limits {

using namespace std::chrono_literals;

// ---- the wire
// ------------------------------------------------------------------------------------------
/// One control packet (SOCK_SEQPACKET). Well below net.core.wmem_default (212,992), so that one
/// always fits.
inline constexpr std::size_t control_packet = 64 * 1024;
/// Descriptors in one control packet. The kernel's limit is 253 (SCM_MAX_FD, unix(7)).
inline constexpr std::size_t control_fds = 64;
/// Control packets that wait for room in the socket.
inline constexpr std::size_t control_queue = 1024;
/// Numbers in one list of a control packet. Also what bounds the memory that a forged header can ask
/// for: msgpack_depth * control_ids objects.
inline constexpr std::size_t control_ids = 4096;
/// One envelope on the data channel, length prefix not counted.
inline constexpr std::size_t envelope = 16 * 1024 * 1024;
/// Bytes that wait for room on a data channel.
inline constexpr std::size_t data_queue = 1024 * 1024 + envelope;
/// Bytes taken from a data channel in one read.
inline constexpr std::size_t data_read = 256 * 1024;
/// The `type` of an envelope.
inline constexpr std::size_t envelope_type = 255;
/// Nesting of msgpack values that are decoded.
inline constexpr std::size_t msgpack_depth = 32;
/// Characters of a reason, an error text or a name that crosses a channel.
inline constexpr std::size_t reason = 4096;

static_assert(control_fds <= 253, "SCM_MAX_FD");
static_assert(control_ids * 9 + 2 * reason <= control_packet, "a full list and its reason fit");

// ---- connections
// ---------------------------------------------------------------------------------------
/// Handoffs that a worker has been sent and not yet taken.
inline constexpr std::size_t worker_credit = 64;
/// Accepted connections that wait in the dispatcher for a worker with credit.
inline constexpr std::size_t waiting_connections = 256;
/// Connections accepted in one round of the loop.
inline constexpr std::size_t accept_batch = 64;
/// How long the listener rests after accept failed for want of descriptors or memory.
inline constexpr auto accept_rest = 100ms;
/// How long a taken connection's descriptor may stay open in the primary.
inline constexpr auto taken_sweep = 50ms;

static_assert(accept_batch <= waiting_connections);

// ---- processes
// -----------------------------------------------------------------------------------------
/// Spawn requests that a zygote has been sent and not yet answered.
inline constexpr std::size_t spawns_in_flight = 64;
/// Spawn requests that wait for a zygote.
inline constexpr std::size_t spawn_queue = 16 * 1024;
/// How long a new zygote may take to say hello (it runs the spec's preload).
inline constexpr auto zygote_start = 60s;
/// A worker whose primary is gone finishes what it can within this time, and is dead soon after.
inline constexpr auto orphan_grace = 800ms;
/// Heartbeats come this far apart.
inline constexpr auto heartbeat = 1s;
/// How long a second signal to stop leaves for the drain.
inline constexpr auto hurried_stop = 2s;

} // namespace coppice::limits
