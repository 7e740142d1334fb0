#pragma once
// A process in reserve: forked by a zygote, through with all that a worker does before it knows who
// it is, and waiting for its spawn. What it saves a worker that has died is the fork, and the page
// faults of a process that is new.

#include <coppice/runtime/os/process_watcher.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/runtime/spawn/spawner.hpp>
#include <coppice/runtime/wire/buffer.hpp>

#include <asio/io_context.hpp>
#include <functional>
#include <optional>
#include <sys/types.h>

namespace coppice {

/// Loop thread only, that of the spawner. Destroying it kills the process and reaps it.
class spare_worker {
public:
  /// `letter` is our end of the channel on which `process` waits. `on_ended` is called from the
  /// loop if it ends by itself; it may destroy the spare_worker.
  spare_worker(asio::io_context& loop, os::child_process process, os::unique_fd letter,
               std::function<void(spare_worker&)> on_ended);
  spare_worker(const spare_worker&) = delete;
  spare_worker& operator=(const spare_worker&) = delete;

  [[nodiscard]] pid_t pid() noexcept { return process_.process().pid(); }

  /// It becomes that worker: here is its process, and this object is to be destroyed. Nothing if
  /// the letter cannot be sent: `lives` tells whether it may be tried again later.
  [[nodiscard]] std::optional<os::child_process> become(const spawn_request& request);
  /// False once it is ending. One that is stopped lives, and takes no letter meanwhile.
  [[nodiscard]] bool lives() const noexcept { return lives_; }

private:
  os::unique_fd letter_;
  bool lives_ = true;
  os::process_watcher process_;
};

} // namespace coppice
