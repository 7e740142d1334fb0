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
/// Our children that were started with `mark`, are not zombies, and are not `main`, the program
/// itself (0: it is reaped). They become the caller's.
[[nodiscard]] std::vector<stray> find_strays(std::string_view mark, pid_t main = 0);

} // namespace coppice
