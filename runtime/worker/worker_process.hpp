#pragma once
// The life of one worker process, behind `worker` and `run_worker`: its loop, its control channel,
// its connections, its end. One object on the stack of the process's main.
//
// Its phases:
//   starting  hello is said, the body runs
//   ready     ready is said: connections come
//   draining  nothing is taken any more; what is in progress is finished
//   ended     bye or failed is said, and the loop is stopped
//
// Thread-safety: none; loop thread only.

#include <coppice/runtime/channel/control_channel.hpp>
#include <coppice/runtime/channel/data_channel.hpp>
#include <coppice/runtime/lease/ledger.hpp>
#include <coppice/runtime/log.hpp>
#include <coppice/runtime/os/signal_source.hpp>
#include <coppice/runtime/spawn/worker_boot.hpp>
#include <coppice/runtime/wire/buffer.hpp>
#include <coppice/runtime/wire/control.hpp>
#include <coppice/runtime/worker/connection_set.hpp>
#include <coppice/runtime/worker/datagram_sockets.hpp>
#include <coppice/runtime/worker/worker.hpp>

#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

class worker_process final : private control_channel::handler, private data_channel::handler {
public:
  worker_process(worker_boot boot, logger& log);
  ~worker_process() override = default;

  /// From hello to the exit code. Call it once.
  int run(const std::function<void(worker&)>& body);

  // ---- what `worker` passes on
  [[nodiscard]] const worker_boot& boot() const noexcept { return boot_; }
  [[nodiscard]] logger& log() noexcept { return log_; }
  [[nodiscard]] asio::io_context& loop() noexcept { return loop_; }
  void serve_with(connection_set::factory make, protection movable) {
    connections_->serve_with(std::move(make), movable);
    ledger_->protects(movable);
  }
  [[nodiscard]] messenger& messages() noexcept { return *messages_; }
  void receive_with(datagram_sockets::handler each, datagram_options options) {
    datagrams_.serve_with(std::move(each), options);
  }
  void on_drain(std::function<void()> f) { on_drain_.push_back(std::move(f)); }
  [[nodiscard]] bool draining() const noexcept { return phase_ >= phase::draining; }
  void fail(const std::string& why);
  void retire(wire::retire wish);
  void stop();
  /// The body is a coroutine: ready when it first suspends, the end when it ends.
  void run_coroutine(std::function<asio::awaitable<void>(worker&)> body);

private:
  enum class phase { starting, ready, draining, ended };

  void open();
  void open_messages();
  template <class Message>
  bool say(const Message& message);
  void become_ready();
  /// With `yield`, leased connections are given back alive.
  void drain(bool yield);
  void hurry();
  void end_if_drained();
  void end(int code);
  void fail_with(std::exception_ptr why);
  void run_loop();
  void on_exception(std::exception_ptr thrown);
  template <class Handler>
  void guarded(Handler work);

  asio::awaitable<void> main_coroutine(std::function<asio::awaitable<void>(worker&)> body);
  void main_ended();

  void on_packet(std::span<const std::byte> packet, std::vector<os::unique_fd> fds) override;
  void on_envelopes(std::span<const std::span<const std::byte>> bodies) override;
  void on_room() override;
  void on_closed(const error& why) override;
  void take(const wire::datagrams& given, std::vector<os::unique_fd>& sockets);
  void take(const std::vector<wire::offered>& items, std::vector<os::unique_fd>& sockets);
  void hand_back(std::span<const wire::offered> items, std::string_view why);
  void on_signal(int number);

  void plan_beat();
  void beat();

  // Coroutines may still look at these while the loop destroys them: they outlive it.
  worker_boot boot_;
  logger& log_;
  worker facade_{*this};
  phase phase_ = phase::starting;
  int exit_code_ = 0;
  std::optional<wire::retire> retires_; ///< it wants to be replaced
  std::vector<std::function<void()>> on_drain_;
  asio::cancellation_signal cancel_main_;
  bool orphaned_ = false;       ///< a channel to the primary is closed
  bool asked_to_drain_ = false; ///< by the primary, which says which message is the last
  bool has_main_ = false;       ///< the body is a coroutine
  bool main_running_ = false;   ///< and has not ended
  std::exception_ptr main_error_;
  std::optional<ledger_writer> ledger_;
  std::optional<lease_table> leases_;
  wire::buffer out_;

  asio::io_context loop_{1};
  std::optional<control_channel> control_;
  std::optional<data_channel> data_;
  std::optional<messenger> messages_;
  std::unique_ptr<connection_set> connections_;
  datagram_sockets datagrams_{loop_};
  std::optional<os::signal_source> signals_;
  asio::steady_timer beat_timer_{loop_};
  asio::steady_timer orphan_timer_{loop_};
};

} // namespace coppice
