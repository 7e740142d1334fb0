#pragma once
// All that the supervision core knows about one child. A value; only `supervision` changes it.

#include <coppice/supervisors/backoff.hpp>
#include <coppice/supervisors/child_key.hpp>
#include <coppice/supervisors/child_spec.hpp>
#include <coppice/supervisors/child_state.hpp>
#include <coppice/supervisors/deaths.hpp>
#include <coppice/supervisors/restart_intensity.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace coppice {

enum class trial {
  no,
  new_child, ///< start_child: one that fails is forgotten
  known,     ///< restart_child: one that fails stays down
};

/// An incarnation is to go although nothing has killed it.
struct retirement {
  std::string reason{};
  bool failed = false;  ///< it counts as an abnormal end
  bool stopped = false; ///< it is being stopped for it, and started again when it is gone
};

struct supervised_child {
  supervised_child(child_key own, child_spec what, restart_limit limit)
      : key{own},
        spec{std::move(what)},
        own_intensity{limit} {}

  child_key key;
  child_spec spec;
  /// Of a dynamic child, from 1: it is forgotten once it has ended for good. 0: another child.
  unsigned number = 0;
  child_state state = child_state::waiting;
  /// Counts up from 1; 0: never started.
  std::uint64_t incarnation = 0;
  /// The highest number that an incarnation of this child has had.
  std::uint64_t started = 0;
  std::int32_t pid = 0;
  monotonic_time started_at{};
  monotonic_time ready_at{};
  /// The present incarnation has been ready.
  bool was_ready = false;
  /// Its part of the boot is over: it has been ready once, or is not to be started by itself.
  bool booted = false;
  /// This start was asked for by a call: if it fails, there is no second one.
  trial on_trial = trial::no;
  /// It goes down with its group, and is started again with it (supervision_group.cpp).
  bool returns = false;
  /// The present incarnation is to be replaced.
  std::optional<retirement> retires{};
  /// The other incarnation, while one takes over from another (supervision_replace.cpp): first the
  /// successor, until it is ready; then the predecessor, until it is gone. Of its fields only those
  /// of one incarnation, its state, its timer and its streak mean anything.
  std::unique_ptr<supervised_child> second{};
  bool is_second = false;
  /// Exceeded its own intensity, and has not made progress since (policy degrade).
  bool degraded = false;
  /// The timer that counts, 0: none; and when it is due.
  std::uint64_t timer = 0;
  monotonic_time timer_due{};
  failure_streak streak{};
  /// Counts deaths without progress (policy degrade).
  restart_intensity own_intensity;
  death_log deaths{};

  [[nodiscard]] std::uint64_t restarts() const noexcept { return started == 0 ? 0 : started - 1; }
};

} // namespace coppice
