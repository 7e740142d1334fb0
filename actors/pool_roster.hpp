#pragma once
// Who is who within one pool: the listeners, the dispatcher and the worker proxies find each other
// here, since the supervisors may replace any of them at any time. Plain values on the one loop
// thread; weak handles, so that a dead actor is nobody.

#include <algorithm>
#include <coppice/actors/balancer.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/lease/protection.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace coppice {

struct pool_roster {
  std::string name; ///< "web"
  caf::actor_addr dispatcher;
  std::vector<caf::actor_addr> listeners;
  std::vector<caf::actor_addr> proxies; ///< from their start to their end
  std::vector<protection> protects;     ///< by endpoint: what its connections can have
  std::shared_ptr<balancer> policy = make_balancer(); ///< here, so that a restart changes no turn
  bool ending = false; ///< the service stops: nobody will be there to go on with a connection

  [[nodiscard]] protection most_of(std::uint32_t endpoint) const {
    return endpoint < protects.size() ? protects[endpoint] : protection::request;
  }
  void forget_proxy(const caf::actor_addr& who) { std::erase(proxies, who); }
};

} // namespace coppice
