#pragma once
// The fork by which a zygote makes a worker that is the primary's child, not its own.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/spawn/birth_register.hpp>

#include <optional>
#include <string_view>
#include <sys/types.h>

namespace coppice {

enum class fork_way {
  /// One clone(2) with CLONE_PARENT. Not clone3, which container profiles refuse. What libc's fork
  /// would
  /// have put right is put right: the cached thread id, by CLONE_CHILD_SETTID and
  /// CLONE_CHILD_CLEARTID
  /// on the address that prctl(2) PR_GET_TID_ADDRESS gives, and the list of robust mutexes. Without
  /// it a contended priority-inheritance mutex aborts, and a dead worker's robust mutex stays
  /// locked.
  clone,
  /// Where the kernel has no PR_GET_TID_ADDRESS (CONFIG_CHECKPOINT_RESTORE): fork twice; the
  /// process in
  /// the middle ends, and the worker goes to the primary, which must be a child subreaper.
  double_fork,
};

[[nodiscard]] std::string_view to_string(fork_way way) noexcept;
[[nodiscard]] std::optional<fork_way> fork_way_named(std::string_view name) noexcept;

/// What this kernel and machine can do.
[[nodiscard]] fork_way best_fork_way() noexcept;

/// Answers twice: 0 in the worker, whose parent is then this process's parent; its pid here. The
/// pid is in `births` before anything of the worker can be seen. This process must have one thread;
/// it ends
/// (_exit) if the fork was interrupted so that nobody can tell whether there is a worker: the
/// register knows, and the primary reads it. Errors: clone(2), fork(2), pipe(2).
[[nodiscard]] result<pid_t> fork_worker(fork_way way, birth_register& births);

} // namespace coppice
