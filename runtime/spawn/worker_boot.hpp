#pragma once
// What a worker process has when it begins: who it is, and its channels.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace coppice {

struct worker_boot {
  std::string group; ///< "web"
  std::string name;  ///< "web/2"
  std::uint64_t worker_id = 0;
  std::uint64_t incarnation = 0;
  os::unique_fd control;
  os::unique_fd data;
  os::unique_fd ledger;
  pid_t primary = 0; ///< the parent, to show
};

/// The main of a worker process; what it returns is the exit code. Signals are as reset_signals
/// leaves them, the orphan guard is set, and nothing is open but 0, 1, 2 and what `worker_boot`
/// holds.
using worker_main = std::function<int(worker_boot)>;

/// "coppice: web/2"
[[nodiscard]] std::string title_of(std::string_view name);

/// The boot of a process whose role is worker: it came by exec. Reads COPPICE_WORKER (taken out of
/// the environment) and takes over the descriptors; resets signals and sets the orphan guard. Call
/// it once, before threads exist; the caller sets the title. Errors: a letter or a descriptor that
/// is missing or wrong (somebody else has set COPPICE_ROLE); a primary that is gone.
[[nodiscard]] result<worker_boot> boot_exec_worker();

} // namespace coppice
