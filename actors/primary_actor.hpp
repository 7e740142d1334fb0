#pragma once
// The actor above the root supervisor: it stops the tree in order, and tells the primary what
// becomes of it.
//
//   booting --child_ready(root)--> running --stop--> closing the endpoints --all closed--> stopping
//   --> ended any --child_ended(root)--> ended

#include <chrono>
#include <coppice/actors/messages.hpp>
#include <coppice/actors/pool_roster.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/log.hpp>
#include <coppice/supervisors/supervisor.hpp>
#include <functional>
#include <memory>
#include <vector>

namespace coppice {

/// primary -> primary_actor: start this tree; once.
struct start_tree {
  std::shared_ptr<const supervisor_options> root; ///< its parent is filled in
};
/// primary -> primary_actor: one more degree of stopping.
struct stop_tree {};

/// primary -> primary_actor: ask this of the supervisor at the end of the path.
struct ask_tree {
  supervisor_call call;
  std::function<void(const call_answer&)> then; ///< called once, whatever happens
};

struct primary_actor_parts {
  std::vector<std::shared_ptr<pool_roster>> pools;
  std::function<void(const tree_node&)> on_up; ///< the whole tree is ready
  std::function<void(const ending&)> on_end;   ///< the whole tree has ended
  logger* log = nullptr;
};

class primary_actor {
public:
  static constexpr const char* name = "primary";

  primary_actor(caf::event_based_actor* self, primary_actor_parts parts);
  caf::behavior make_behavior();

private:
  void stop();
  void close_endpoints();
  void stop_root(stop_how how);
  void ask(const ask_tree& m);

  caf::event_based_actor* self_;
  primary_actor_parts parts_;
  caf::actor root_;
  int stops_ = 0;           ///< how often the stop was asked for
  std::size_t closing_ = 0; ///< listeners that have not said accepting_ended
};

} // namespace coppice

COPPICE_MESSAGES_BEGIN(primary_messages, 230)
COPPICE_LOCAL_MESSAGE(primary_messages, coppice::start_tree)
COPPICE_LOCAL_MESSAGE(primary_messages, coppice::stop_tree)
COPPICE_LOCAL_MESSAGE(primary_messages, coppice::ask_tree)
COPPICE_MESSAGES_END(primary_messages)
