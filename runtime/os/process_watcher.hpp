#pragma once
// Watches one child process on an event loop, and reaps it when it ends.

#include <coppice/runtime/os/child_process.hpp>

#include <asio/io_context.hpp>
#include <functional>
#include <memory>

namespace coppice::os {

/// Owns the child. `on_exit` is called once, from the loop, after the child was reaped; it may
/// destroy the watcher. Destroying the watcher before that stops the watch, kills the child and
/// reaps it. Loop thread only.
class process_watcher {
public:
  using exit_handler = std::function<void(exit_status)>;

  process_watcher(asio::io_context& loop, child_process child, exit_handler on_exit);
  process_watcher(const process_watcher&) = delete;
  process_watcher& operator=(const process_watcher&) = delete;
  ~process_watcher();

  [[nodiscard]] child_process& process() noexcept;

  /// Stops the watch and gives the child away. Not after `on_exit` was called.
  [[nodiscard]] child_process release();

private:
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace coppice::os
