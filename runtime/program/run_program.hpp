#pragma once
// Runs a program once, to its end, with its output captured: what exec and execFile are in Node.
// In the primary and in workers alike; asynchronous on the loop.
//
//   program_call call{.executable = "git", .arguments = {"log"}};
//   auto done = co_await run_program(self.context(), std::move(call), asio::use_awaitable);
//   if (done && done->status.well()) use(done->out);
//
// (Lists in braces within a co_await expression are more than g++ 12 can compile: hence `call`.)
//
// Not supervised: it is not started again, and stands in no tree. Whoever destroys the loop ends
// it.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/child_process.hpp>
#include <coppice/runtime/spawn/process_settings.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coppice {

struct program_call {
  std::string executable{};             ///< a path, or a name to be found in PATH
  std::vector<std::string> arguments{}; ///< without the program's own name
  /// Its standard input, and then the end; empty: /dev/null.
  std::string input{};
  process_settings settings{};
  /// What is kept of each of its two streams, in bytes; the rest is counted.
  std::size_t max_output = limits::run_output;
  /// SIGTERM to its process group after so long; none: never.
  std::optional<std::chrono::milliseconds> timeout{};
  /// SIGKILL so long after the SIGTERM.
  std::chrono::milliseconds grace = limits::run_grace;
};

/// `/bin/sh -c command`.
[[nodiscard]] inline program_call shell(std::string command) {
  program_call call;
  call.executable = "/bin/sh";
  call.arguments = {"-c", std::move(command)};
  return call;
}

struct program_outcome {
  os::exit_status status; ///< its exit code, or the signal that ended it
  std::string out{};      ///< what it printed
  std::string err{};
  std::size_t out_left_out = 0; ///< bytes beyond max_output
  std::size_t err_left_out = 0;
  bool timed_out = false; ///< the timeout was over, and it was told to end
  bool cancelled = false; ///< the operation was cancelled, and it was told to end
  std::chrono::milliseconds took{};
};

namespace detail {
/// Ends the run early; does nothing once it has ended.
using stop_program_run = std::function<void()>;
stop_program_run start_program_run(asio::io_context& loop, program_call call,
                                   std::function<void(result<program_outcome>)> done);
} // namespace detail

/// Starts the program and completes with `result<program_outcome>` when it has ended; an error says
/// that it could not be started, and names the step: "start git: No such file or directory". A
/// program that ends badly is no error: look at `status`.
///
/// Its end counts, not that of what it leaves running, which may hold its output open: what is
/// there is taken then. The program is in a session of its own, has no descriptors but 0, 1 and 2,
/// and is killed if this process ends. The process must ignore SIGPIPE, as coppice's do.
///
/// Cancellation (asio's, any type): as a timeout that is over.
/// Thread-safety: call it on the loop's thread, which must live as long as the program runs.
template <class CompletionToken>
auto run_program(asio::io_context& loop, program_call call, CompletionToken&& token) {
  return asio::async_initiate<CompletionToken, void(result<program_outcome>)>(
      [&loop](auto handler, program_call what) {
        using handler_type = decltype(handler);
        auto slot = asio::get_associated_cancellation_slot(handler);
        auto executor = asio::get_associated_executor(handler, loop.get_executor());
        // Handlers are move-only, and std::function copies.
        auto shared = std::make_shared<handler_type>(std::move(handler));
        auto stop = detail::start_program_run(
            loop, std::move(what),
            [shared, slot, executor,
             stay = asio::make_work_guard(executor)](result<program_outcome> outcome) mutable {
              if (slot.is_connected()) slot.clear();
              asio::dispatch(executor, [shared, outcome = std::move(outcome)]() mutable {
                auto final_handler = std::move(*shared);
                shared.reset();
                std::move(final_handler)(std::move(outcome));
              });
            });
        if (slot.is_connected())
          slot.assign([stop = std::move(stop)](asio::cancellation_type) { stop(); });
      },
      token, std::move(call));
}

} // namespace coppice
