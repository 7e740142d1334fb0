#pragma once
// The messages of the control channels, between the primary and a worker and between the primary
// and a zygote: their structs, their grammar, and one function each way. Pure: no descriptors, no
// clock, no channel; the descriptors that ride with a packet are counted here and carried by
// control_channel. docs/protocol.md says the same in more words.
//
//   packet  := [tag:uint, field*]          one msgpack array, alone in one SOCK_SEQPACKET packet
//   hello        := [1, version:uint, pid:pid, incarnation:uint]              worker to primary
//   ready        := [2]                                                       worker to primary
//   room         := [3]                                                       worker to primary
//   handed_back  := [4, [connection:uint * 0..4096], reason:str]              worker to primary
//   failed       := [5, reason:str]                                           worker to primary
//   bye          := [6]                                                       worker to primary
//   retire       := [7, reason:str, failed:uint]                              worker to primary
//   connections  := [32, [[id:uint, listener:u32, lease:u32?] * 1..64]]  + 1 fd each
//                                                                             primary to worker
//   drain        := [33, deadline_ms:u32, yield:u32?]                         primary to worker
//   message_room := [34, to:address, room:uint]                               primary to worker
//   datagrams    := [35, [listener:u32 * 1..64]]                  + 1 fd each primary to worker
//   spawn        := [64, request:uint, group:name, name:name, worker:uint,
//                    incarnation:uint, fds:u32, [step * 1..1024]?]
//                                                + 1 fd for each bit of fds   primary to zygote,
//                                                                             or to a spare
//   spare        := [65, request:uint]  + 1 fd, the spare's end of a channel  primary to zygote
//   zygote_hello := [96, version:uint, pid:pid, threads:u32, error:str]       zygote to primary
//   spawned      := [97, request:uint, pid:pid]  + 1 fd, the pidfd            zygote to primary
//   spawn_failed := [98, request:uint, reason:str]                            zygote to primary
//   pid  := uint, 1..2^31-1      u32 := uint below 2^32
//   str  := at most 4096 bytes   name := str, not empty
//   address := uint | name, at most 255 bytes
//   step := [kind:uint, text:str, [number:uint *]]                            setup_step.hpp
//
// A receiver ignores elements after the last field that it knows, and packets whose tag it does not
// know (`unknown`). Everything else that breaks the grammar is an error, and ends the channel.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/wire/buffer.hpp>
#include <coppice/runtime/wire/setup_step.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace coppice::wire {

/// What `hello` and `zygote_hello` carry. It goes up when a message changes its meaning; new tags
/// and new fields at the end need no new version.
inline constexpr std::uint32_t protocol_version = 1;

// ---- worker to primary

/// The first packet of a worker: the process runs.
struct hello {
  std::uint32_t version = protocol_version;
  std::int32_t pid = 0;
  std::uint64_t incarnation = 0;
  bool operator==(const hello&) const = default;
};
/// The worker's body has set itself up: connections may come.
struct ready {
  bool operator==(const ready&) const = default;
};
/// The worker has taken connections since it was asked (in the ledger) to say so.
struct room {
  bool operator==(const room&) const = default;
};
/// Connections that the worker does not serve; the primary still has its copies of them.
struct handed_back {
  std::vector<std::uint64_t> connections; ///< at most limits::control_ids
  std::string reason;
  bool operator==(const handed_back&) const = default;
};
/// The worker ends abnormally, and says why: an exception, or worker::fail.
struct failed {
  std::string reason;
  bool operator==(const failed&) const = default;
};
/// The last packet of a worker that ends well.
struct bye {
  bool operator==(const bye&) const = default;
};

/// The worker asks to be replaced, and serves on until it is told to drain.
struct retire {
  std::string reason;
  bool failed = false; ///< it counts as an abnormal end: an exception has escaped a handler
  bool operator==(const retire&) const = default;
};

// ---- primary to worker

struct offered {
  std::uint64_t id = 0;       ///< the primary's number of this connection
  std::uint32_t listener = 0; ///< which listener accepted it
  std::uint32_t lease = 0;    ///< its slot in the ledger + 1; 0: it has none
  bool operator==(const offered&) const = default;
};
/// Connections to serve; descriptor i of the packet is items[i].
struct connections {
  std::vector<offered> items; ///< 1 to limits::control_fds
  bool operator==(const connections&) const = default;
};
/// Finish what is in progress, take nothing new, end well.
struct drain {
  std::uint32_t deadline_ms = 0; ///< from now; after it the process is killed
  std::uint32_t yield = 0;       ///< 1: leased connections go on elsewhere, give them back alive
  bool operator==(const drain&) const = default;
};

/// Whether messages to this address, written like this, find room where they go. Without room,
/// send none until there is; those that are under way are not lost.
struct message_room {
  std::uint64_t id = 0; ///< if there is no name
  std::string name;
  bool room = false;
  bool operator==(const message_room&) const = default;
};

/// Bound datagram sockets to receive from; descriptor i of the packet is that of listeners[i].
struct datagrams {
  std::vector<std::uint32_t> listeners; ///< which endpoints of the pool; 1 to limits::control_fds
  bool operator==(const datagrams&) const = default;
};

// ---- primary to zygote, and back

/// The descriptors a spawn may carry, in the order in which they travel.
enum spawn_fd : std::uint32_t {
  spawn_control = 1,
  spawn_data = 2,
  spawn_ledger = 4,
  spawn_in = 8,
  spawn_out = 16,
  spawn_err = 32,
};
inline constexpr std::uint32_t spawn_all_fds = 63;

/// Fork a worker.
struct spawn {
  std::uint64_t request_id = 0; ///< the answer carries it
  std::string group;            ///< the pool or agent: "web"
  std::string name;             ///< the slot: "web/2"
  std::uint64_t worker_id = 0;
  std::uint64_t incarnation = 0;
  std::uint32_t fds = 0;           ///< spawn_fd bits: which descriptors come with the packet
  std::vector<setup_step> setup{}; ///< to be taken before the worker's own code
  bool operator==(const spawn&) const = default;
};
/// Fork a process that is no worker yet: a `spawn` on the channel that comes with the packet makes
/// it one.
struct spare {
  std::uint64_t request_id = 0; ///< the answer carries it
  bool operator==(const spare&) const = default;
};
/// The first packet of a zygote. With an `error` it can fork nothing, and ends.
struct zygote_hello {
  std::uint32_t version = protocol_version;
  std::int32_t pid = 0;
  std::uint32_t threads = 1; ///< threads that the process has; more than one is an error
  std::string error;
  bool operator==(const zygote_hello&) const = default;
};
/// The worker's process exists; the packet carries its pidfd.
struct spawned {
  std::uint64_t request_id = 0;
  std::int32_t pid = 0;
  bool operator==(const spawned&) const = default;
};
struct spawn_failed {
  std::uint64_t request_id = 0;
  std::string reason;
  bool operator==(const spawn_failed&) const = default;
};

/// A well-formed packet of a later version: to be ignored (its descriptors are closed).
struct unknown {
  std::uint64_t tag = 0;
  bool operator==(const unknown&) const = default;
};

using control_message =
    std::variant<unknown, hello, ready, room, handed_back, failed, bye, retire, connections, drain,
                 message_room, datagrams, spawn, spare, zygote_hello, spawned, spawn_failed>;

/// Reads one packet. The error's verb is "decode", its object "control packet".
[[nodiscard]] result<control_message> decode_control(std::span<const std::byte> packet);

/// "hello", "handed_back": for logs and errors.
[[nodiscard]] std::string_view name_of(const control_message& message) noexcept;

/// How many descriptors must ride with the packet. A receiver that got another number ends the
/// channel. Ask it after `unknown` was dropped: of that, any number is right, and 0 is said.
[[nodiscard]] std::size_t descriptors_of(const control_message& message) noexcept;

/// Write one packet into `out`, which is cleared first, and give its bytes. Texts are cut to
/// limits::reason. Throws std::length_error if a list is longer than its bound: split it.
std::span<const std::byte> encode_control(const hello&, buffer& out);
std::span<const std::byte> encode_control(const ready&, buffer& out);
std::span<const std::byte> encode_control(const room&, buffer& out);
std::span<const std::byte> encode_control(const handed_back&, buffer& out);
std::span<const std::byte> encode_control(const failed&, buffer& out);
std::span<const std::byte> encode_control(const bye&, buffer& out);
std::span<const std::byte> encode_control(const retire&, buffer& out);
std::span<const std::byte> encode_control(const connections&, buffer& out);
std::span<const std::byte> encode_control(const drain&, buffer& out);
std::span<const std::byte> encode_control(const message_room&, buffer& out);
std::span<const std::byte> encode_control(const datagrams&, buffer& out);
std::span<const std::byte> encode_control(const spawn&, buffer& out);
std::span<const std::byte> encode_control(const spare&, buffer& out);
std::span<const std::byte> encode_control(const zygote_hello&, buffer& out);
std::span<const std::byte> encode_control(const spawned&, buffer& out);
std::span<const std::byte> encode_control(const spawn_failed&, buffer& out);

/// `connections` without its vector: allocates nothing for up to 30 items.
std::span<const std::byte> encode_connections(std::span<const offered> items, buffer& out);

} // namespace coppice::wire
