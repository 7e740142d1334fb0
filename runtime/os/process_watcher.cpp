#include <coppice/runtime/os/process_watcher.hpp>

#include <coppice/runtime/limits.hpp>

#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <utility>

namespace coppice::os {

// Handlers hold a weak reference: one that was already queued when the watcher went finds nothing.
struct process_watcher::state : std::enable_shared_from_this<state> {
  state(asio::io_context& loop, child_process owned, exit_handler handler)
      : child{std::move(owned)},
        on_exit{std::move(handler)},
        readable{loop},
        again{loop} {}

  void watch() {
    readable.async_wait(asio::posix::stream_descriptor::wait_read,
                        [weak = weak_from_this()](std::error_code failed) {
                          if (auto self = weak.lock(); self && !failed) self->ended();
                        });
  }

  void ended() {
    // The descriptor is the child's: the loop must forget it before the child closes it.
    (void)readable.release();
    if (auto status = child.reap()) {
      if (auto handler = std::exchange(on_exit, nullptr)) handler(*status);
      return;
    }
    // Ended, and not yet ours to reap: a debugger that traces it is told first. It stays readable,
    // so wait a while instead of spinning.
    again.expires_after(limits::reap_again);
    again.async_wait([weak = weak_from_this()](std::error_code failed) {
      auto self = weak.lock();
      if (!self || failed) return;
      self->readable.assign(self->child.pidfd());
      self->watch();
    });
  }

  void stop() {
    if (readable.is_open()) (void)readable.release();
    again.cancel();
    on_exit = nullptr;
  }

  child_process child;
  exit_handler on_exit;
  asio::posix::stream_descriptor readable; // borrows the child's pidfd
  asio::steady_timer again;
};

process_watcher::process_watcher(asio::io_context& loop, child_process child, exit_handler on_exit)
    : state_{std::make_shared<state>(loop, std::move(child), std::move(on_exit))} {
  state_->readable.assign(state_->child.pidfd());
  state_->watch();
}

process_watcher::~process_watcher() { state_->stop(); }

child_process process_watcher::release() {
  state_->stop();
  return std::move(state_->child);
}

child_process& process_watcher::process() noexcept { return state_->child; }

} // namespace coppice::os
