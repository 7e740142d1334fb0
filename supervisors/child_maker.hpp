#pragma once
// How the actor of a child comes to be, and how a supervisor and that actor understand each other.

#include <coppice/runtime/caf/port.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace coppice {

/// What a child that is being started is told.
struct start_context {
  caf::actor_system* system = nullptr;
  std::string id{}; ///< the child's, from its spec
  std::uint64_t incarnation = 0;
  caf::actor supervisor{};         ///< to whom it says child_ready and child_ended
  unsigned number = 0;             ///< of a dynamic child: 2 of "web/2"
  std::vector<std::string> args{}; ///< of a dynamic child: from its start_child call
};

enum class child_link {
  /// By messages.hpp. If the actor ends without child_ended, that is an abnormal end.
  messages,
  /// A plain actor, which need not know that it is supervised: ready when spawned, stopped by an
  /// exit message, and its exit is its end: well if it quits normally.
  exit,
};

struct child_maker {
  /// Makes the actor of one incarnation. What it throws is the reason of a failed start.
  std::function<caf::actor(const start_context&)> make{};
  child_link link = child_link::messages;
  /// For tree_node: "program". Empty: what link and type make of it.
  std::string kind{};
  /// Called when a supervisor that runs forgets the child for good: it was deleted, scaled away, or
  /// is temporary and has ended. `number` as in start_context. May be empty; must not throw.
  std::function<void(unsigned number)> forgotten{};
};

} // namespace coppice
