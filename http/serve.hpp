#pragma once
// Serves HTTP/1.1 on the connections that a worker is given: http::serve(worker, handler). Not a
// web framework: one handler gets every request; routing is its own business.
//
// The handler is one of three:
//   response(const request&)                    answers at once
//   void(request, responder)                    answers when it likes, by a callback
//   asio::awaitable<response>(request)          the same as a coroutine
// or two: std::optional<response>(const request&) and, for what that leaves unanswered,
// void(request, responder).
// All run on the worker's loop; one connection has one request in the works at a time, connections
// go on side by side. The handler is kept as long as the worker. Thread-safety: loop thread only.
//
// An exception that escapes the handler answers 500 and, unless options::fail_on_exception is off,
// has the worker replaced, with its text as the reason.

#include <asio/awaitable.hpp>
#include <concepts>
#include <coppice/http/options.hpp>
#include <coppice/http/request.hpp>
#include <coppice/http/responder.hpp>
#include <coppice/http/response.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace coppice {
class worker;
}

namespace coppice::http {

template <class H>
concept sync_handler = std::is_invocable_r_v<response, H&, const request&>;

template <class H>
concept async_handler = std::is_invocable_r_v<void, H&, request, responder>;

template <class H>
concept coroutine_handler = std::is_invocable_r_v<asio::awaitable<response>, H&, request>;

template <class H>
concept quick_handler = std::is_invocable_r_v<std::optional<response>, H&, const request&>;

/// A handler with its type erased. `sync` is asked first, if it is set; `async` gets what it leaves
/// unanswered, and is set wherever that can happen.
struct handler {
  std::function<std::optional<response>(const request&)> sync;
  std::function<void(request, responder)> async;
};

/// A coroutine as an asynchronous handler: it runs on the worker's loop, and what it returns is the
/// answer.
[[nodiscard]] handler spawn_each(worker& where,
                                 std::function<asio::awaitable<response>(request)> coroutine);

/// Serves every connection that `self` is given from now on. Call it once, in the worker's body.
void serve(worker& self, handler how, options choices = {});

template <sync_handler H>
void serve(worker& self, H how, options choices = {}) {
  // Through a shared pointer, as std::function wants to be copyable and handlers need not be.
  auto kept = std::make_shared<H>(std::move(how));
  serve(self, handler{[kept](const request& r) -> response { return (*kept)(r); }, nullptr},
        std::move(choices));
}

template <async_handler H>
void serve(worker& self, H how, options choices = {}) {
  auto kept = std::make_shared<H>(std::move(how));
  serve(self,
        handler{nullptr,
                [kept](request r, responder answer) { (*kept)(std::move(r), std::move(answer)); }},
        std::move(choices));
}

/// Two handlers: `quick` answers at once what it can, and leaves the rest (nullopt) to `slow`.
template <quick_handler Q, async_handler S>
void serve(worker& self, Q quick, S slow, options choices = {}) {
  auto first = std::make_shared<Q>(std::move(quick));
  auto then = std::make_shared<S>(std::move(slow));
  serve(self,
        handler{[first](const request& r) -> std::optional<response> { return (*first)(r); },
                [then](request r, responder answer) { (*then)(std::move(r), std::move(answer)); }},
        std::move(choices));
}

namespace detail {
/// Keeps the request and the handler as long as the coroutine runs, whatever it takes them by.
template <class H>
asio::awaitable<response> run_kept(std::shared_ptr<H> how, request r) {
  co_return co_await (*how)(std::move(r));
}
} // namespace detail

template <coroutine_handler H>
void serve(worker& self, H how, options choices = {}) {
  auto kept = std::make_shared<H>(std::move(how));
  serve(self, spawn_each(self, [kept](request r) { return detail::run_kept(kept, std::move(r)); }),
        std::move(choices));
}

} // namespace coppice::http
