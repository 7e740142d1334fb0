#pragma once
// What a supervisor and its children say to each other. A child that is a nested supervisor speaks
// the same words, upwards as a child and downwards as a supervisor.
//
//   supervisor -> child   stop_child
//   child -> supervisor   child_ready, once, then child_ended, once, as its very last word;
//                         between them child_retires, if it is to be replaced
//
// A child that is a plain actor (child_link::exit in supervisor.hpp) says none of it.

#include <coppice/runtime/caf/port.hpp>
#include <coppice/supervisors/calls.hpp>
#include <coppice/supervisors/child_maker.hpp>
#include <coppice/supervisors/ending.hpp>
#include <coppice/supervisors/tree_node.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace coppice {

enum class stop_how {
  shutdown, ///< end in good order: finish what is in progress. The supervisor keeps the deadline.
  hurry,    ///< the same, but soon (limits::hurried_stop); also to one that is already stopping
  kill,     ///< end now. child_ended still follows, when it is really gone.
};

/// To a child. Idempotent; a stronger `how` overrules a weaker one.
struct stop_child {
  stop_how how = stop_how::shutdown;
};

/// From a child: it can do its work now.
struct child_ready {
  std::string id{};
  std::uint64_t incarnation = 0;
  std::int32_t pid = 0; ///< its process, for display only; 0: none of its own
};

/// From a child that is ready: it goes on, and is to be replaced. `how` is what that counts as:
/// well, no death at all; abnormal, a death with that reason.
struct child_retires {
  std::string id{};
  std::uint64_t incarnation = 0;
  ending how{};
};

/// From a child: it is gone, and so is everything it owned.
struct child_ended {
  std::string id{};
  std::uint64_t incarnation = 0;
  coppice::ending ending{};
};

/// To a supervisor, as a request: the answer is a tree_node with everything below it.
struct describe {};

/// To a supervisor, as a request: the answer is a supervisor_answer, at once or when what was asked
/// for has come about. It goes down the tree along `path`, the ids of the supervisors from here on.
struct supervisor_call {
  std::vector<std::string> path{};
  calls::request what{};
  /// Of start_child, except to a dynamic supervisor: how the new child is started.
  child_maker start{};
};
struct supervisor_answer {
  call_answer answer{};
};

} // namespace coppice

COPPICE_MESSAGES_BEGIN(supervisors, 100)
COPPICE_LOCAL_MESSAGE(supervisors, coppice::stop_child)
COPPICE_LOCAL_MESSAGE(supervisors, coppice::child_ready)
COPPICE_LOCAL_MESSAGE(supervisors, coppice::child_ended)
COPPICE_LOCAL_MESSAGE(supervisors, coppice::child_retires)
COPPICE_LOCAL_MESSAGE(supervisors, coppice::describe)
COPPICE_LOCAL_MESSAGE(supervisors, coppice::tree_node)
COPPICE_LOCAL_MESSAGE(supervisors, coppice::supervisor_call)
COPPICE_LOCAL_MESSAGE(supervisors, coppice::supervisor_answer)
COPPICE_MESSAGES_END(supervisors)
