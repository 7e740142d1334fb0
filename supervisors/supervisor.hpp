#pragma once
// Starts a supervisor: the actor around `supervision` (supervision.hpp), which decides; the actor
// starts and stops children, keeps the timers, writes the log and speaks to its parent.
//
// A child is whatever its `start` makes an actor for: a process's proxy, an in-process actor, or
// another supervisor. Everything happens on the thread that runs the actors; `start` is called
// there, and must not block.

#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/log.hpp>
#include <coppice/supervisors/child_maker.hpp>
#include <coppice/supervisors/child_spec.hpp>
#include <coppice/supervisors/child_template.hpp>
#include <coppice/supervisors/messages.hpp>
#include <coppice/supervisors/supervisor_spec.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

/// A child spec with the way to start it.
struct startable {
  child_spec spec{};
  /// Makes the actor of one incarnation. What it throws is the reason of a failed start.
  std::function<caf::actor(const start_context&)> start{};
  child_link link = child_link::messages;
  /// For tree_node: "program". Empty: what link and type make of it.
  std::string kind{};
  /// As in child_maker.
  std::function<void(unsigned number)> forgotten{};
};

/// A dynamic supervisor's children: `how.spec.id` is what their ids begin with.
struct dynamic_children {
  startable how{};
  unsigned initial = 0;
  unsigned max_children = limits::dynamic_children;
};

struct supervisor_options {
  std::string id{}; ///< its own name, in reports and to its parent
  supervisor_spec spec{};
  std::vector<startable> children{}; ///< in start order; must be valid (validate.hpp)
  /// Beside them, if it is a dynamic supervisor.
  std::optional<dynamic_children> dynamic{};
  logger* log = nullptr;  ///< outlives the actor; null: nothing is logged
  std::uint64_t seed = 1; ///< of the jitter of backoffs
  /// Is told child_ready once all children are up, and child_ended at the end; may be empty.
  caf::actor parent{};
  std::uint64_t incarnation = 1; ///< its own, for the messages to the parent
};

/// Starts it, and with it its children. What can be asked of it while it runs is supervisor_call.
/// Stop it with stop_child{}; it then answers child_ended to the parent and quits. Killed from
/// outside (an exit message), it kills its children.
[[nodiscard]] caf::actor spawn_supervisor(caf::actor_system& system, supervisor_options options);

/// A supervisor as the child of another: `options.id`, `parent` and `incarnation` are filled in at
/// each start, and `spec.type` is made child_type::supervisor.
[[nodiscard]] startable nested_supervisor(child_spec spec, supervisor_options options);

} // namespace coppice
