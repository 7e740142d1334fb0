#pragma once
// What a program leaves running when it has ended: children of its own, and processes that it has
// forked twice to be rid of. This process is their parent by then if it is a child subreaper
// (prctl(2), PR_SET_CHILD_SUBREAPER). They are recognized by a mark in the environment with which
// the program was started, which they have inherited.

#include <coppice/runtime/os/child_process.hpp>

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace coppice {

/// A new mark, as a variable: "INVOCATION_ID=" and 32 hexadecimal digits, which is what
/// systemd.exec (5) gives its services, too.
[[nodiscard]] std::string new_mark();

/// The pids of this process's children, whoever made them. Empty if /proc does not say.
[[nodiscard]] std::vector<pid_t> children_of_this_process();

struct stray {
  std::string name; ///< "redis-server", as in /proc/PID/comm
  os::child_process process;
};
struct strays_seen {
  std::vector<stray> strays;
  /// False: a child of ours is about to end, its environment gone already and its own children not
  /// yet ours. Whoever has found no stray must look again.
  bool conclusive = true;
};
/// Our children that were started with `mark` and are not zombies. They become the caller's.
[[nodiscard]] strays_seen look_for_strays(std::string_view mark);

} // namespace coppice
