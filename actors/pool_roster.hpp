#pragma once
// Who is who within one pool: the listeners, the dispatcher and the worker proxies find each other
// here, since the supervisors may replace any of them at any time. Plain values on the one loop
// thread; weak handles, so that a dead actor is nobody.

#include <algorithm>
#include <coppice/actors/balancer.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/lease/protection.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/link/connection_seats.hpp>
#include <coppice/runtime/net/datagram_endpoint.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace coppice {

struct pool_roster {
  std::string name; ///< "web"
  caf::actor_addr dispatcher;
  std::vector<caf::actor_addr> listeners;
  std::vector<caf::actor_addr> proxies;     ///< from their start to their end
  std::vector<datagram_endpoint> datagrams; ///< what each of its workers receives from
  std::vector<protection> protects;         ///< by endpoint: what its connections can have
  std::shared_ptr<balancer> policy = make_balancer(); ///< here, so that a restart changes no turn
  /// Of a pool with max_connections; null: they are not counted.
  std::shared_ptr<connection_seats> seats;
  std::size_t most_per_worker = 0; ///< connections; 0: any number
  std::size_t room = 0; ///< for connections to accept, as the dispatcher sees it, if it is limited
  std::size_t passing = 0; ///< of these, accepted and on their way to the dispatcher
  bool full = false;       ///< a listener has stopped for want of room
  bool ending = false;     ///< the service stops: nobody will be there to go on with a connection

  [[nodiscard]] bool limited() const { return seats || most_per_worker > 0; }
  /// How many connections may be accepted now; enough for a batch.
  [[nodiscard]] std::size_t acceptable() const {
    return limited() ? std::min(limits::accept_batch, room - std::min(room, passing))
                     : limits::accept_batch;
  }
  [[nodiscard]] protection most_of(std::uint32_t endpoint) const {
    return endpoint < protects.size() ? protects[endpoint] : protection::request;
  }
  void forget_proxy(const caf::actor_addr& who) { std::erase(proxies, who); }
};

} // namespace coppice
