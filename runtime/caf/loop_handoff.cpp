#include <coppice/runtime/caf/loop_handoff.hpp>

#include <asio/post.hpp>

namespace coppice {

loop_handoff::loop_handoff(asio::io_context& io)
    : io_{io},
      loop_thread_{std::this_thread::get_id()},
      self_{std::make_shared<loop_handoff*>(this)} {}

void loop_handoff::add(std::unique_ptr<waiting> call) {
  std::lock_guard lock{mutex_};
  if (closed_) return; // `call` is destroyed after the lock is gone
  calls_.push_back(std::move(call));
  if (std::exchange(posted_, true)) return;
  // Under the lock, so that `close` waits for it: afterwards there may be no io_context.
  asio::post(io_, [self = self_] {
    if (*self != nullptr) (*self)->run();
  });
}

void loop_handoff::run() {
  std::vector<std::unique_ptr<waiting>> calls;
  {
    std::lock_guard lock{mutex_};
    calls.swap(calls_);
    posted_ = false;
  }
  for (auto& call : calls) call->run();
}

void loop_handoff::close() {
  std::vector<std::unique_ptr<waiting>> dropped; // destroyed without the lock: they may call `add`
  *self_ = nullptr;
  std::lock_guard lock{mutex_};
  closed_ = true;
  dropped.swap(calls_);
}

} // namespace coppice
