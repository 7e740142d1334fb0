#pragma once
// The primary's end of one incarnation of one worker process: spawn, signals, the two channels, the
// ledger. An interface, so that the actors above run against a fake one in virtual time;
// process_link is the real one.
//
// Loop thread only. Events come through the loop, never from inside a call, and none after
// destruction.

#include <chrono>
#include <coppice/runtime/error.hpp>
#include <coppice/runtime/lease/ledger.hpp>
#include <coppice/runtime/os/child_process.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/runtime/wire/control.hpp>
#include <cstdint>
#include <functional>
#include <span>
#include <sys/types.h>
#include <variant>
#include <vector>

namespace coppice {

/// A connection on its way to a worker. The primary keeps `socket` until the worker has taken it.
struct offered_connection {
  std::uint64_t id = 0;       ///< counts up within one incarnation
  std::uint32_t listener = 0; ///< which of the pool's endpoints accepted it
  os::unique_fd socket;
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
struct link_exited {
  os::exit_status status;
};
using link_event =
    std::variant<link_spawned, link_spawn_failed, link_said, link_closed, link_exited>;

/// What the worker has written into its ledger.
struct link_progress {
  std::uint64_t taken = 0;       ///< connections taken so far, in the order offered
  std::uint64_t handed_back = 0; ///< connections it refused so far; each is told by a frame, too
  std::uint64_t served = 0;      ///< exchanges finished so far
  ledger_health health{};        ///< as of its last heartbeat
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

  /// Asks the worker to finish what it has within `patience`, and to end.
  virtual void ask_to_drain(std::chrono::milliseconds patience) = 0;

  /// SIGTERM or SIGKILL; before the process exists it is remembered and sent at its birth.
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
