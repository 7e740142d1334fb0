#pragma once
// The first steps of a process that a zygote has just forked: from a copy of the zygote to a
// worker.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/os/process_title.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/runtime/spawn/worker_boot.hpp>
#include <coppice/runtime/wire/control.hpp>

#include <sys/types.h>
#include <vector>

namespace coppice {

/// A spawn request as the zygote has received it.
struct spawn_order {
  wire::spawn what;
  std::vector<os::unique_fd> fds; ///< in the order of wire::spawn_fd
  bool whole = false;             ///< every descriptor that `what` names has come
};

/// A session of its own; 0, 1 and 2 as ordered; everything else closed but its channels; the orphan
/// guard; the title; then `body`, and _exit with its code (1 if it throws). Dispositions and mask
/// are the zygote's, which are reset_signals'.
[[noreturn]] void become_worker(logger& log, os::process_title& title, const worker_main& body,
                                spawn_order order, pid_t primary);

} // namespace coppice
