#pragma once
// What becomes of a child when its parent dies (prctl(2), PR_SET_PDEATHSIG). The kernel's "parent"
// is the thread that made the child: it must live as long as its process.
//
// The setting is cleared by set-user-ID programs and by changes of uid and gid: guard last.

#include <coppice/runtime/error.hpp>

#include <chrono>
#include <sys/types.h>

namespace coppice::os {

/// When `parent` is gone this process is killed (SIGKILL) after `grace`, whatever it does, even if
/// it spins or has stopped listening: the time is for finishing what is in progress. A grace of
/// zero or less kills at once. Uses the real-time signal SIGRTMAX - 1 and one timer. Call it once,
/// with that signal unblocked (reset_signals).
///
/// Fails with ESRCH if `parent` is not, or no longer, this process's parent: then end yourself.
[[nodiscard]] result<void> die_with_parent(pid_t parent, std::chrono::milliseconds grace);

/// After a change of uid or gid, which clears what die_with_parent has set: the same signal again.
/// Errors: as die_with_parent.
[[nodiscard]] result<void> watch_parent_again(pid_t parent);

/// For processes that have nothing to finish: SIGKILL as soon as `parent` is gone, also if it is
/// gone already.
void kill_with_parent(pid_t parent);

} // namespace coppice::os
