#pragma once
// Actors in virtual time, for tests: CAF's testing scheduler on the calling thread. Nothing runs
// but in `run` and `advance`, and no clock ticks but by `advance`, so what a test sees is the same
// on every machine. The actors are those of the real loop, spawned and spoken to through port.hpp.
//
// Single-threaded. Actors that are alive at the end are killed by the destructor. Handles outside
// of actors may outlive the world, but must not be sent to afterwards.

#include "support/world_scheduler.hpp"
#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <chrono>
#include <coppice/runtime/caf/port.hpp>
#include <cstddef>
#include <utility>

namespace coppice::test {

class actor_world {
public:
  actor_world() : system_{prepared(config_, scheduler_)} {
    system_.await_actors_before_shutdown(false); // nobody would run them meanwhile
  }
  actor_world(const actor_world&) = delete;
  actor_world& operator=(const actor_world&) = delete;

  [[nodiscard]] caf::actor_system& system() noexcept { return system_; }

  /// Runs what is ready, and what that makes ready, until all actors wait. Time stands still.
  /// Returns how many turns actors had. Throws std::runtime_error when they never stop.
  std::size_t run() { return scheduler_->run_ready(); }

  /// Lets time pass: every delayed message and timeout comes at its own instant, in order, and the
  /// actors run until all wait before time goes on.
  void advance(std::chrono::nanoseconds time) { scheduler_->advance(time); }

  /// The same call as on the real loop (actor_loop): the message, then run.
  template <class Message>
  void deliver(const caf::actor& to, Message&& message) {
    port::anon_mail(std::forward<Message>(message)).send(to);
    run();
  }

  /// Virtual time. It is not the steady clock's, and starts near its epoch.
  [[nodiscard]] std::chrono::steady_clock::time_point now() { return system_.clock().now(); }

  /// How many actors are alive, CAF's own not counted.
  [[nodiscard]] std::size_t running() { return system_.registry().running(); }

  /// Whether a delayed message or a timeout waits for its time.
  [[nodiscard]] bool waits_for_time() const { return scheduler_->has_pending_timeout(); }

private:
  static caf::actor_system_config& prepared(caf::actor_system_config& config,
                                            world_scheduler*& scheduler) {
    config.module_factories.push_back(
        [&scheduler](caf::actor_system& system) -> caf::actor_system::module* {
          scheduler = new world_scheduler{system}; // the system owns it
          return scheduler;
        });
    return config;
  }

  caf::actor_system_config config_;
  world_scheduler* scheduler_ = nullptr;
  caf::actor_system system_;
};

} // namespace coppice::test
