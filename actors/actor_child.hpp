#pragma once
// In-process actors as children of the tree, beside pools, agents and programs. This header alone
// shows CAF to a service: include it where such a child is made.
//
//     #include <coppice/actors/actor_child.hpp>
//
//     .children = {actor("stats", [](caf::actor_system& system) { return system.spawn(stats); }),
//                  pool("web", web) ...}
//
// Such an actor runs in the primary, on its loop: a handler that blocks stops everything. It is
// ready when it is spawned. To be stopped it gets an exit message (user_shutdown; kill when its
// `shutdown` time is over); its exit is its end, and a good one if it quits normally.

#include <coppice/actors/actor_spec.hpp>
#include <coppice/actors/spec.hpp>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace coppice {

/// What makes the actor of one incarnation: called on the loop, each time that it is started. What
/// it throws is the reason of a failed start.
struct actor_factory {
  std::function<caf::actor(caf::actor_system&)> make;
};

/// A child that is an actor. See actor_spec for what each setting means and its default.
class actor {
public:
  /// `factory` is called with the actor system and gives the handle of the actor it has spawned.
  template <class Factory>
  requires std::is_invocable_v<Factory&, caf::actor_system&> actor(std::string name,
                                                                   Factory factory) {
    spec_.name = std::move(name);
    spec_.factory = std::make_shared<const actor_factory>(
        actor_factory{[factory = std::move(factory)](caf::actor_system& system) mutable {
          return caf::actor_cast<caf::actor>(factory(system));
        }});
  }
  actor& restart(restart_type type) { return spec_.restart = type, *this; }
  actor& backoff(coppice::backoff waits) { return spec_.backoff = waits, *this; }
  actor& shutdown(shutdown_time time) { return spec_.shutdown = time, *this; }

  operator child() const { return {spec_}; }

private:
  actor_spec spec_;
};

} // namespace coppice
