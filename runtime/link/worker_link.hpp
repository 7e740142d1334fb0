#pragma once
// The primary's end of one incarnation of one worker process: spawn, signals, the two channels, the
// ledger. An interface, so that the actors above run against a fake one in virtual time;
// process_link is the real one.
//
// Loop thread only. Events come through the loop, never from inside a call, and none after
// destruction.

#include <chrono>
#include <coppice/runtime/error.hpp>
#include <coppice/runtime/lease/lease_reader.hpp>
#include <coppice/runtime/lease/ledger.hpp>
#include <coppice/runtime/lease/protection.hpp>
#include <coppice/runtime/link/connection_seats.hpp>
#include <coppice/runtime/net/datagram_endpoint.hpp>
#include <coppice/runtime/os/child_process.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/runtime/wire/control.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <sys/types.h>
#include <variant>
#include <vector>

namespace coppice {

/// A connection on its way to a worker. The primary keeps `socket` until the worker has taken it.
struct offered_connection {
  std::uint64_t id = 0;       ///< counts up within one incarnation
  std::uint32_t listener = 0; ///< which of the pool's endpoints accepted it
  os::unique_fd socket;
  std::uint32_t lease = 0;            ///< its slot in the worker's ledger + 1; 0: it has none
  exchange_history history{};         ///< of the exchange that it comes with
  std::vector<std::string> crashes{}; ///< the ends of the workers that crashed over that exchange
  std::uint64_t affinity = 0;         ///< what its pool's policy goes by; it stays with it
  connection_seat seat{};             ///< among all that its pool may have
};

/// What becomes of a leased connection that a worker has left.
struct recovered_lease {
  /// Another worker gets it, as it was offered if `carried` is null; false: it has ended, or was
  /// reset.
  bool goes_on = false;
  std::unique_ptr<carried_lease> carried{};
  const char* why_reset = ""; ///< empty unless the client was cut off
};

/// What a link tells, in the order in which it happened.
struct link_spawned {
  pid_t pid = 0; ///< to show and to log; signals go through the link
};
struct link_spawn_failed {
  error why;
};
struct link_said {
  wire::control_message message;
};
struct link_closed {
  error why;
  bool broken =
      false; ///< true: a frame broke the grammar or the channel failed; false: closed in good order
};
/// Envelopes from the worker, in the order in which it sent them: `bodies` are those of whole
/// frames that follow each other in `memory`, each behind its prefix.
struct link_sent {
  std::shared_ptr<const std::vector<std::byte>> memory;
  std::vector<std::span<const std::byte>> bodies;
};
/// What waited on the data channel is down to limits::mail_low bytes, or to none.
struct link_has_room {};
struct link_exited {
  os::exit_status status;
};
using link_event = std::variant<link_spawned, link_spawn_failed, link_said, link_sent,
                                link_has_room, link_closed, link_exited>;

/// What the worker has written into its ledger.
struct link_progress {
  std::uint64_t taken = 0;       ///< connections taken so far, in the order offered
  std::uint64_t handed_back = 0; ///< connections it refused so far; each is told by a frame, too
  std::uint64_t served = 0;      ///< exchanges finished so far
  protection movable = protection::none; ///< what its service can stand
  ledger_health health{};                ///< as of its last heartbeat
  std::uint64_t ended = 0; ///< connections without a lease that are over, of those taken
};

class worker_link {
public:
  using on_event = std::function<void(link_event)>;

  worker_link() = default;
  worker_link(const worker_link&) = delete;
  worker_link& operator=(const worker_link&) = delete;
  virtual ~worker_link() = default;

  /// Spawns the process. Exactly one of link_spawned and link_spawn_failed follows, and after
  /// link_spawned one link_exited in the end.
  virtual void start(on_event events) = 0;

  /// Sends connections, at most limits::control_fds. False: the channel is gone, its event is on
  /// the way. The sockets stay the caller's: a duplicate travels.
  virtual bool offer(std::span<const offered_connection> connections) = 0;

  /// Has the worker receive from these sockets; at most limits::control_fds. They stay the
  /// caller's: duplicates travel. False: as for offer.
  virtual bool give_datagrams(std::span<const datagram_endpoint> sockets) = 0;

  /// Asks the worker to finish what it has within `patience`, and to end.
  /// With `yield` it gives its leased connections back alive, as far as they are movable.
  virtual void ask_to_drain(std::chrono::milliseconds patience, bool yield) = 0;

  // ---- messages; a link without them says so

  /// Sends whole frames. False: nothing of it will be sent, as the channel has ended, or more than
  /// limits::data_queue bytes would wait then.
  virtual bool send(std::span<const std::span<const std::byte>> frames) {
    (void)frames;
    return false;
  }
  /// Bytes that wait for room.
  [[nodiscard]] virtual std::size_t unsent() const { return 0; }
  /// Tells the worker whether messages to this address find room.
  virtual void tell_room(const wire::message_room& about) { (void)about; }

  // ---- leases; without any, the defaults here say so

  /// Fills the slot of a connection that moves in, before it is offered.
  [[nodiscard]] virtual result<void> put_lease(std::uint32_t slot, std::uint64_t id,
                                               const carried_lease& lease) {
    (void)slot, (void)id, (void)lease;
    return failure_because("lend", "a connection", "this worker has no leases");
  }
  /// The ring entries of the leases that the worker has returned since the last call.
  [[nodiscard]] virtual std::vector<std::uint32_t> returned_leases() { return {}; }
  /// The slot + 1 of the exchange whose handler was on the CPU last; 0: none.
  [[nodiscard]] virtual std::uint32_t running_lease() { return 0; }
  /// Judges a connection that the worker has returned, or has left behind by its death, and resets
  /// it if it cannot go on.
  [[nodiscard]] virtual recovered_lease recover_lease(const offered_connection& connection,
                                                      protection level, blame whose) {
    (void)connection, (void)level, (void)whose;
    return {};
  }

  /// Any signal. SIGTERM or SIGKILL before the process exists: it is remembered and sent at its
  /// birth.
  virtual void signal(int number) = 0;

  /// The ledger as it is now. Cheap: one pread.
  virtual link_progress progress() = 0;

  /// Asks the worker for a `room` frame when it has taken something; returns the ledger read after
  /// asking, so that nothing taken meanwhile is missed.
  virtual link_progress ask_for_room() = 0;

  /// After link_exited: what is still readable on the channels, which are then closed. It never
  /// blocks and waits for no end of file: a grandchild may hold the other end for ever.
  [[nodiscard]] virtual std::vector<link_event> read_to_end() = 0;
};

} // namespace coppice
