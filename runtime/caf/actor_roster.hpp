#pragma once
// Who is alive on a scheduler. CAF counts its actors and does not know them, so a system that must
// end while actors are alive could only wait for ever, or leave them behind with their state.
// A scheduler shows each job to the roster before it runs it. Not thread-safe: loop thread only.

#include <caf/actor_control_block.hpp>
#include <caf/scheduled_actor.hpp>
#include <coppice/runtime/limits.hpp>
#include <cstddef>
#include <vector>

namespace coppice {

class actor_roster {
public:
  /// Remembers the actor behind `job` before its first run. Costs one flag test afterwards.
  void see(caf::resumable& job) {
    if (job.subtype() != caf::resumable::scheduled_actor) return;
    auto& actor = static_cast<caf::scheduled_actor&>(job);
    // Hidden actors (CAF's own) are not registered; CAF ends them itself.
    if (actor.getf(caf::abstract_actor::is_initialized_flag) ||
        !actor.getf(caf::abstract_actor::is_registered_flag))
      return;
    if (known_.size() >= next_sweep_) sweep();
    known_.emplace_back(actor.ctrl());
  }

  /// Sends every actor that is alive an exit message that none can refuse, and forgets them all.
  /// Returns how many there were. They end when they are run next.
  std::size_t kill_all();

private:
  void sweep();

  // Weak: an actor is not kept alive. But a weak reference keeps its memory, hence the sweeps.
  std::vector<caf::weak_actor_ptr> known_;
  std::size_t next_sweep_ = limits::roster_sweep;
};

} // namespace coppice
