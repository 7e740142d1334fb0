#pragma once
// A CAF scheduler that runs all actors on the thread of one asio io_context. CAF's extension point
// for it is the scheduler module (actor_system_config::module_factories). Actors that are ready
// wait in one queue; a handler in the io_context runs it in bounded rounds, so that I/O and timers
// have their turn between busy actors; when nothing is ready there is no handler, and the loop
// sleeps.
//
// Belongs to the loop thread, which is the one that constructs the actor system; only `enqueue` and
// the clock may be called by others (CAF's own threads, detached actors). Lives and dies with its
// actor_system, which must be destroyed before the io_context.

#include <asio/io_context.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <coppice/runtime/caf/actor_roster.hpp>
#include <coppice/runtime/caf/loop_clock.hpp>
#include <coppice/runtime/caf/loop_handoff.hpp>
#include <coppice/runtime/log.hpp>
#include <deque>
#include <memory>

namespace coppice {

class loop_scheduler final : public caf::scheduler::abstract_coordinator {
public:
  /// Before the actor_system is made from `config`. Both references must outlive the system.
  static void load(caf::actor_system_config& config, asio::io_context& io, logger& log);
  /// The scheduler of a system whose config went through `load`.
  static loop_scheduler& of(caf::actor_system& system);

  loop_scheduler(caf::actor_system& system, asio::io_context& io, logger& log);
  ~loop_scheduler() override;

  /// Runs what is ready now, for one round at most: for the end of an I/O handler, so that its
  /// message need not wait for the loop's next round. Does nothing while a backlog waits its turn
  /// (else each of many I/O handlers would run a whole round), and nothing inside of an actor.
  void run_ready();

  /// Calls `send()`, which makes actors ready, then `run_ready`; saves the handler in between.
  template <class Send>
  void run_after(Send send) {
    try {
      const flag_scope holding{holding_};
      send();
    } catch (...) {
      post_if_needed(); // for what it has sent before it failed
      throw;
    }
    run_ready();
    post_if_needed(); // with a backlog before them: in their turn
  }

  [[nodiscard]] caf::actor_clock& clock() noexcept override { return clock_; }

protected:
  void start() override;
  void stop() override;
  void enqueue(caf::resumable* job) override;

private:
  /// Where actors that run put actors that become ready.
  class unit final : public caf::execution_unit {
  public:
    unit(caf::actor_system* system, loop_scheduler& scheduler)
        : caf::execution_unit{system},
          scheduler_{scheduler} {}
    void exec_later(caf::resumable* job) override { scheduler_.push(job); }

  private:
    loop_scheduler& scheduler_;
  };

  /// True while it lives, then what it was before; exceptions pass through.
  class flag_scope {
  public:
    explicit flag_scope(bool& flag) : flag_{flag}, before_{flag} { flag_ = true; }
    flag_scope(const flag_scope&) = delete;
    flag_scope& operator=(const flag_scope&) = delete;
    ~flag_scope() { flag_ = before_; }

  private:
    bool& flag_;
    bool before_;
  };

  void push(caf::resumable* job);
  void post_if_needed();
  void on_turn();
  void run_round();
  void run(caf::resumable* job);

  asio::io_context& io_;
  logger& log_;
  loop_handoff handoff_;
  loop_clock clock_;
  unit unit_;
  actor_roster roster_;
  const std::shared_ptr<loop_scheduler*> self_; // for a handler that outlives us

  // Ready actors, each at most once: bounded by the number of actors. Each holds a reference.
  std::deque<caf::resumable*> ready_;
  bool running_ = false; // a round is on the stack
  bool holding_ = false; // run_after is: it will run what becomes ready
  bool posted_ = false;  // a handler that runs a round is in the io_context
  bool backlog_ = false; // the last round left some
};

} // namespace coppice
