#pragma once
// Signals as events of the loop. Nothing runs in a signal handler.

#include <asio/io_context.hpp>
#include <functional>
#include <initializer_list>
#include <memory>

namespace coppice::os {

/// Undoes what this process inherited: every disposition is the default, but SIGPIPE is ignored,
/// and no signal is blocked. An inherited SIGCHLD=SIG_IGN would lose the exit codes of all
/// children. Call it first, before any thread exists and before anything else sets a disposition.
void reset_signals();

/// Blocks `signals` for the calling thread when it is made (make it before other threads, which
/// inherit the mask), and calls `on_signal` from the loop for each that comes, by signalfd(2). They
/// stay blocked after it is destroyed: one that comes late must not kill the process.
/// Loop thread only; `on_signal` may destroy it. Throws std::system_error if the kernel gives no
/// signalfd.
class signal_source {
public:
  signal_source(asio::io_context& loop, std::initializer_list<int> signals,
                std::function<void(int)> on_signal);
  signal_source(const signal_source&) = delete;
  signal_source& operator=(const signal_source&) = delete;
  ~signal_source();

private:
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace coppice::os
