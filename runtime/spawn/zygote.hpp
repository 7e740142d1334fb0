#pragma once
// The main of a zygote: a process that does nothing but fork workers for the primary, fast, since
// all that a program does before main is done already.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/os/process_title.hpp>
#include <coppice/runtime/spawn/worker_boot.hpp>

#include <functional>

namespace coppice {

/// For a process whose role is zygote (zygote_spawner started it). Resets signals, takes its letter
/// out of the environment, and dies with the primary from then on. `preload` runs once, before the
/// first fork: what it makes in memory, the workers have; descriptors that it opens, they have not.
/// Then workers are forked on request, and `body` runs in each.
///
/// A spare is forked ahead of its time, and becomes a worker when the primary says which one.
/// `rehearse` runs once in the zygote, and in each spare while it waits: what it touches (code,
/// data, the heap) need not be brought in when the worker starts. It must leave nothing behind;
/// dispositions and mask are reset after it.
///
/// Returns the zygote's exit code: 0 when the primary has closed the channel. Never returns in a
/// worker, which ends by _exit with what `body` returns: the zygote's exit handlers are not its
/// own.
///
/// Fork copies one thread. If the process has more (also when `preload` has made one), or `preload`
/// throws, its hello says so and it forks nothing; the primary then falls back to exec.
int run_zygote(logger& log, os::process_title& title, const worker_main& body,
               const std::function<void()>& preload = {},
               const std::function<void()>& rehearse = {});

} // namespace coppice
