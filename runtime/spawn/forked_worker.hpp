#pragma once
// The first steps of a process that a zygote has just forked: from a copy of the zygote to a
// worker, at once or with a stay as a spare between.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/os/process_title.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/runtime/spawn/spawn_order.hpp>
#include <coppice/runtime/spawn/worker_boot.hpp>

#include <functional>
#include <sys/types.h>

namespace coppice {

/// What every process of a zygote is made with; it outlives them all.
struct forked_parts {
  logger& log;
  os::process_title& title;
  const worker_main& body;
  const std::function<void()>& rehearse; ///< may be empty
};

/// Runs the rehearsal, if there is one; what it throws is said to the log.
void rehearse_once(const forked_parts& parts);

/// A session of its own; the orphan guard; 0, 1 and 2 as ordered; everything else closed but its
/// channels; the title; the steps of the order's setup; then the body, and _exit with its code (1
/// if it throws). Dispositions and mask are the zygote's, which are reset_signals'. `order` is a
/// wire::spawn.
[[noreturn]] void become_worker(const forked_parts& parts, received_order order, pid_t primary);

/// The same in two parts: first all that needs no order, then it waits on `letter` for the spawn.
/// Ends with 0 when `letter` is closed instead.
[[noreturn]] void become_spare(const forked_parts& parts, os::unique_fd letter, pid_t primary);

} // namespace coppice
