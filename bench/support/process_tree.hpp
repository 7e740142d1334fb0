#pragma once
// What /proc says about a process and its descendants. Snapshots: a process may end while it is
// read, and then counts as nothing.

#include <cstdint>
#include <optional>
#include <sys/types.h>
#include <vector>

namespace bench {

/// The parent of `pid` (proc(5), stat field 4); nothing if there is no such process.
[[nodiscard]] std::optional<pid_t> parent_of(pid_t pid);

/// `root` and all its descendants.
[[nodiscard]] std::vector<pid_t> process_tree(pid_t root);

/// Time that the threads of these processes have spent on a CPU, in nanoseconds (proc(5), schedstat
/// field 1): exact, where `times` counts ticks.
[[nodiscard]] std::int64_t cpu_time(const std::vector<pid_t>& processes);

} // namespace bench
