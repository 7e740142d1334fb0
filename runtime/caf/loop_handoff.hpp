#pragma once
// The way in from other threads: calls that are to be made on the loop thread. The calls wait here
// and not in the io_context, so that what they hold (actors, messages) can be let go while the
// actor system still stands, whatever the io_context has not run by then.
//
// `call` may be used by any thread until `close`; everything else belongs to the loop thread, which
// is the one that constructs it.

#include <asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace coppice {

class loop_handoff {
public:
  explicit loop_handoff(asio::io_context& io);
  loop_handoff(const loop_handoff&) = delete;
  loop_handoff& operator=(const loop_handoff&) = delete;
  ~loop_handoff() { close(); }

  /// Whether the caller is the loop thread.
  [[nodiscard]] bool here() const noexcept { return std::this_thread::get_id() == loop_thread_; }

  /// Makes the loop thread call `f()` later; calls are made in the order in which they came. After
  /// `close`, `f` is destroyed without having been called.
  template <class F>
  void call(F f) {
    add(std::make_unique<waiting_call<F>>(std::move(f)));
  }

  /// Makes the calls that wait, now. The handler does it; so may the loop thread.
  void run();

  /// Drops what waits, and all that still comes.
  void close();

private:
  struct waiting {
    virtual ~waiting() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct waiting_call final : waiting {
    explicit waiting_call(F f) : function{std::move(f)} {}
    void run() override { function(); }
    F function;
  };

  void add(std::unique_ptr<waiting> call);

  asio::io_context& io_;
  const std::thread::id loop_thread_;
  // For handlers that outlive us in the io_context; written by the loop thread only.
  const std::shared_ptr<loop_handoff*> self_;

  std::mutex mutex_; // guards what follows
  // No bound of its own: each entry stands for an actor that becomes ready, or for a timer.
  std::vector<std::unique_ptr<waiting>> calls_;
  bool posted_ = false;
  bool closed_ = false;
};

} // namespace coppice
