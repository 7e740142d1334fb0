#pragma once
// What user code sees of the worker process that it runs in: its name, its loop, the connections it
// is given, and how to end. One object per process, made by `run_worker`, alive until the loop has
// ended.
//
// Thread-safety: none, except context() and get_executor(), through which other threads may post.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/messages/messenger.hpp>
#include <coppice/runtime/worker/datagram_sockets.hpp>
#include <coppice/runtime/worker/leased_connection.hpp>

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace coppice {

class connection;
class worker;
class worker_process;

namespace detail {
void run_body(worker& self, std::function<asio::awaitable<void>(worker&)> body);
} // namespace detail

class worker {
public:
  using executor_type = asio::io_context::executor_type;
  using connection_factory = std::function<std::unique_ptr<connection_user>(leased_connection&)>;

  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// The slot: "web/2". The same for every incarnation.
  [[nodiscard]] std::string_view name() const noexcept;
  /// The pool or agent: "web".
  [[nodiscard]] std::string_view group() const noexcept;
  /// The number in the name: 2 in "web/2". 0 for an agent, whose name has none.
  [[nodiscard]] unsigned slot() const noexcept;
  /// The address of this slot for messages; unique in the tree.
  [[nodiscard]] std::uint64_t id() const noexcept;
  /// How many processes have filled this slot, this one included.
  [[nodiscard]] std::uint64_t incarnation() const noexcept;

  [[nodiscard]] asio::io_context& context() noexcept;
  [[nodiscard]] executor_type get_executor() noexcept;
  [[nodiscard]] logger& log() noexcept;

  /// Messages to other workers and the primary, and from them; see messenger.hpp. May be used from
  /// the body on.
  [[nodiscard]] messenger& messages() noexcept;
  /// messages().send, ask, reply, on, publish and subscribe, for short.
  template <class Value>
  send_result send(const address& to, std::string_view type, const Value& value) {
    return messages().send(to, type, value);
  }
  template <class Value, class Token = asio::use_awaitable_t<>>
  auto ask(const address& to, std::string_view type, const Value& value,
           std::chrono::milliseconds timeout, Token&& token = {}) {
    return messages().ask(to, type, value, timeout, std::forward<Token>(token));
  }
  template <class Value>
  send_result reply(const message& to, const Value& value) {
    return messages().reply(to, value);
  }
  template <class Handler>
  void on(std::string type, Handler how) {
    messages().on(std::move(type), std::move(how));
  }
  template <class Value>
  send_result publish(std::string_view topic, std::string_view type, const Value& value) {
    return messages().publish(topic, type, value);
  }
  send_result subscribe(std::string_view topic) { return messages().subscribe(topic); }

  /// How connections are served, exchange by exchange: `make` is called for each one taken. Call it
  /// in the worker's body; a worker that is given a connection and serves none fails. The last call
  /// counts. `movable` says what the service can stand when this worker dies: with `connection`, it
  /// keeps nothing about a connection between two exchanges that another worker would not know
  /// (see connection_user and leased_connection::replayable); with `request` its exchanges may be
  /// run again, too. The pool's own protection is the upper bound.
  void on_connection(connection_factory make, protection movable = protection::none);

  /// How datagrams of the pool's udp endpoints are served: `each` is called for one after the
  /// other. All workers receive from the same sockets, and each datagram reaches one of them. What
  /// it throws has the worker replaced (see retire_after_failure). Call it in the worker's body; a
  /// worker of a pool with udp endpoints that serves none fails. The last call counts. A worker
  /// that drains reads no more; what one that dies had received and not answered is lost, as
  /// datagrams may be.
  void on_datagram(std::function<void(datagram&)> each, datagram_options options = {});

  /// How connections are served as streams: one coroutine for each. The connection is closed when
  /// its handle is destroyed. What leaves the coroutine as an exception has the worker replaced
  /// (see retire_after_failure), unless it is a std::system_error that says only that this peer
  /// went away, timed out, or that the operation was cancelled.
  /// `movable` as for on_connection: the coroutine of the next worker begins anew, with the input
  /// that no async_reply has consumed.
  void serve(std::function<asio::awaitable<void>(connection)> each,
             protection movable = protection::none);

  /// `f` is called once, when the worker is asked to end. The worker ends when its last connection
  /// is closed and its body, if that is a coroutine, has returned.
  void on_drain(std::function<void()> f);
  [[nodiscard]] bool draining() const noexcept;

  /// Ends this process: an abnormal end, with its reason in the primary's log. Returns; the loop
  /// ends soon after.
  void fail(std::string why);
  /// Asks to be replaced: serves on until another process is ready in its place, then drains and
  /// ends. Neither a death nor a restart that counts; `why` is in the primary's log. An agent, of
  /// which there are never two, ends before its replacement starts; a temporary child is not
  /// replaced. The first call counts.
  void retire(std::string why);
  /// The same after a failure: it counts as an abnormal end, and the replacement waits as long as
  /// after one. What an exception does that escapes a handler.
  void retire_after_failure(std::string why);
  /// Ends this process well, once it has drained.
  void stop();

private:
  friend class worker_process;
  friend void detail::run_body(worker&, std::function<asio::awaitable<void>(worker&)>);
  explicit worker(worker_process& process) noexcept : process_{process} {}

  void run_coroutine(std::function<asio::awaitable<void>(worker&)> body);

  worker_process& process_;
};

} // namespace coppice
