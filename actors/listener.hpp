#pragma once
// The listener: one actor for each endpoint. It accepts while its pool has room and passes what it
// accepted to the pool's dispatcher; when nobody has credit it leaves the rest in the kernel's
// backlog. The listening socket is not its own: it is opened before the tree starts and stays open
// when the actor is restarted.
//
//   accepting --stop_accepting--> closed to new work --start_accepting--> accepting
//   accepting --EMFILE--> resting --rest_over (limits::accept_rest)--> accepting
//   accepting --the pool is at its limit--> full --start_accepting--> accepting
//   any --end_accepting--> ended (what waits in the backlog is accepted first, then the socket is
//   closed)

#include <coppice/actors/messages.hpp>
#include <coppice/actors/pool_roster.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/log.hpp>
#include <coppice/runtime/net/acceptor.hpp>
#include <cstdint>
#include <memory>

namespace coppice {

/// What a listener is made of; all of it outlives the actor.
struct listener_parts {
  acceptor* socket = nullptr;
  std::shared_ptr<pool_roster> pool;
  std::uint32_t index = 0;              ///< which of the pool's endpoints this is
  deliver_to<connection_waits> deliver; ///< how the socket's readiness reaches the actor
  logger* log = nullptr;
};

class listener {
public:
  listener(caf::event_based_actor* self, listener_parts parts);
  ~listener();
  caf::behavior make_behavior();

private:
  enum class state { paused, accepting, full, resting, ended };

  void wait_for_connections();
  void accept_waiting();
  /// Accepts up to limits::accept_batch connections and passes them on. False: nothing more waits,
  /// or it must stop.
  bool accept_batch();
  void rest(std::error_code why);
  /// Its pool has no room: nothing more is accepted before the dispatcher says that it has.
  void become_full();

  caf::event_based_actor* self_;
  listener_parts parts_;
  state state_ = state::paused;
  caf::actor dispatcher_;
  std::uint64_t exhausted_ = 0;
};

} // namespace coppice
