#pragma once
// The actors of a process: a CAF actor system on an asio loop. Constructed, used and destroyed on
// the loop thread, before the io_context (which wants concurrency hint 1: `asio::io_context io{1}`)
// and the log. Other threads `asio::post` to the loop, and send from there.
//
//   asio::io_context io{1};
//   actor_loop actors{io, log};
//   auto root = port::spawn_state<supervisor>(actors.system(), ...);
//   io.run();                    // until somebody stops it
//   actors.deliver(root, stop_child{});
//   actors.finish(5s);           // the loop runs on until they have all ended

#include <asio/io_context.hpp>
#include <caf/actor.hpp>
#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <chrono>
#include <coppice/runtime/caf/loop_scheduler.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/log.hpp>
#include <cstddef>
#include <utility>

namespace coppice {

class actor_loop {
public:
  /// What actors print, and what CAF complains about, goes to `log` as warnings.
  actor_loop(asio::io_context& io, logger& log);
  actor_loop(const actor_loop&) = delete;
  actor_loop& operator=(const actor_loop&) = delete;
  /// Kills the actors that are still alive: their states are destroyed, their watchers are told.
  /// Handles outside of actors may live on, but must not be sent to.
  ~actor_loop();

  [[nodiscard]] caf::actor_system& system() noexcept { return system_; }

  /// How I/O handlers speak to actors: sends `message` and runs what is ready, one bounded round.
  /// Do not touch what an actor may have destroyed meanwhile, the calling channel for one.
  template <class Message>
  void deliver(const caf::actor& to, Message&& message) {
    scheduler_.run_after([&] { port::anon_mail(std::forward<Message>(message)).send(to); });
  }

  /// Runs what is ready, one bounded round; for a handler that has sent several messages.
  void run_ready() { scheduler_.run_ready(); }

  /// How many actors are alive, CAF's own not counted.
  [[nodiscard]] std::size_t running() { return system_.registry().running(); }

  /// Drives the loop, all of its handlers, until no actor is alive. Somebody must have told them to
  /// end. False if some are alive at the deadline; that is logged. Not from inside of a handler or
  /// an actor. A stopped io_context is restarted.
  bool finish(std::chrono::milliseconds deadline);

private:
  asio::io_context& io_;
  logger& log_;
  caf::actor_system_config config_;
  caf::actor_system system_;
  loop_scheduler& scheduler_; // the system's
};

} // namespace coppice
