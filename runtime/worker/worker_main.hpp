#pragma once
// The main function of a worker process: channels, hello, the user's body, the loop, the drain.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/spawn/worker_boot.hpp>
#include <coppice/runtime/worker/worker.hpp>

#include <asio/awaitable.hpp>
#include <functional>
#include <type_traits>
#include <utility>

namespace coppice {

/// The user's set-up code in a worker process. Returning means ready, and the loop runs on.
using worker_body = std::function<void(worker&)>;

namespace detail {
/// Runs `body` as the worker's main coroutine: ready when it first suspends, the worker ends when
/// it ends.
void run_body(worker& self, std::function<asio::awaitable<void>(worker&)> body);
} // namespace detail

/// A body from a function or a coroutine function of `worker&`. A coroutine is cancelled when the
/// worker drains, unless an `on_drain` function was given: then that one sees to its end.
template <class F>
requires std::is_invocable_v<F&, worker&>
[[nodiscard]] worker_body make_worker_body(F body) {
  if constexpr (std::is_same_v<std::invoke_result_t<F&, worker&>, asio::awaitable<void>>) {
    return [body = std::move(body)](worker& self) { detail::run_body(self, body); };
  } else {
    return worker_body{std::move(body)};
  }
}

/// Runs one worker to its end and returns the process's exit code: 0 if it ended well (drained, or
/// its coroutine returned), 1 after a failure, whose text the primary has been told. Says hello,
/// calls `body`, says ready, beats once a second, drains on the primary's word, on SIGTERM, SIGINT
/// or SIGQUIT (a second one hurries), and within limits::orphan_grace when the primary has gone.
/// Blocks those signals; call it once per process.
[[nodiscard]] int run_worker(worker_boot boot, const worker_body& body, logger& log);

/// For a spare: the life of a worker in small, with channels that lead nowhere and a body that does
/// nothing. The process has its code and memory at hand then, and nothing else is different.
void rehearse_worker(logger& log);

} // namespace coppice
