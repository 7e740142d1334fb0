#pragma once
// The dispatcher: one actor for each pool with endpoints. It gives each accepted connection to a
// worker that is ready and has credit, as the pool's policy chooses; it keeps at most
// limits::waiting_connections that nobody can take now, and opens and closes the listeners
// accordingly. What a worker leaves when it dies comes back here and goes on to another one first.
// With a sticky policy connections wait for their first bytes before (awaited_heads).

#include <coppice/actors/awaited_heads.hpp>
#include <coppice/actors/dispatch_table.hpp>
#include <coppice/actors/messages.hpp>
#include <coppice/actors/pool_roster.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/log.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace coppice {

struct dispatcher_parts {
  std::shared_ptr<pool_roster> pool;
  logger* log = nullptr;
  first_bytes* bytes = nullptr; ///< of a sticky policy; outlives the actor
  head_key sticky_by{};
  deliver_to<first_bytes_came> deliver{};
  deliver_to<seat_free> deliver_seat{}; ///< of a pool with max_connections
};

class dispatcher {
public:
  dispatcher(caf::event_based_actor* self, dispatcher_parts parts);
  ~dispatcher();
  caf::behavior make_behavior();

private:
  void take(std::uint32_t listener, std::vector<os::unique_fd> sockets);
  void plan_overdue();
  /// The policy's choice; there is credit.
  [[nodiscard]] worker_key choose(accepted_socket& connection);
  /// Gives out what waits as far as there is credit, one handoff message for each worker that gets
  /// some.
  void distribute();
  /// What comes back while nobody is ready is parked, for so long and no longer.
  void watch_parked();
  void give_up_parked();
  /// Tells the listeners to go on or to stop, if that has changed.
  void steer_listeners();
  /// How many connections of a pool with limits may be accepted: those that are here have theirs.
  [[nodiscard]] std::size_t room() const;

  caf::event_based_actor* self_;
  dispatcher_parts parts_;
  dispatch_table table_;
  std::unordered_map<std::uint64_t, std::pair<worker_key, caf::actor>> proxies_; ///< by slot
  std::deque<accepted_socket> waiting_;
  std::optional<awaited_heads> heads_; ///< only with a sticky policy
  bool overdue_planned_ = false;
  bool accepting_ = false;
  bool parked_ = false;     ///< nobody is ready, and something that came back waits
  std::uint64_t waits_ = 0; ///< how often that was so
};

} // namespace coppice
