#pragma once
// Internal. One asynchronous operation of a `connection` that waits: its completion handler,
// move-only and of any type, behind one small base. It keeps the handler's executor busy until the
// handler has run.

#include <asio/associated_allocator.hpp>
#include <asio/associated_executor.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <memory>
#include <system_error>
#include <utility>

namespace coppice::detail {

template <class Value>
class stream_operation {
public:
  stream_operation() = default;
  stream_operation(const stream_operation&) = delete;
  stream_operation& operator=(const stream_operation&) = delete;

  struct discard {
    void operator()(stream_operation* operation) const noexcept { operation->destroy(); }
  };
  using pointer = std::unique_ptr<stream_operation, discard>;

  /// Runs the handler on its executor, at once if that is the loop, and frees the operation first.
  /// Called from the loop only, never while the operation is being started.
  static void complete(pointer operation, std::error_code why, Value value) {
    operation.release()->run(why, std::move(value));
  }

protected:
  virtual ~stream_operation() = default;

private:
  virtual void run(std::error_code why, Value value) = 0;
  virtual void destroy() noexcept = 0;
};

template <class Handler, class Value>
class stream_operation_of final : public stream_operation<Value> {
public:
  static typename stream_operation<Value>::pointer make(asio::io_context& loop, Handler handler) {
    allocator from{asio::get_associated_allocator(handler)};
    auto* const room = std::allocator_traits<allocator>::allocate(from, 1);
    return typename stream_operation<Value>::pointer{
        new (room) stream_operation_of{loop, std::move(handler)}};
  }

private:
  using allocator = typename std::allocator_traits<
      asio::associated_allocator_t<Handler>>::template rebind_alloc<stream_operation_of>;
  using loop_executor = asio::io_context::executor_type;
  using executor = asio::associated_executor_t<Handler, loop_executor>;

  stream_operation_of(asio::io_context& loop, Handler handler)
      : handler_{std::move(handler)},
        work_{asio::get_associated_executor(handler_, loop.get_executor())} {}
  ~stream_operation_of() override = default;

  void run(std::error_code why, Value value) override {
    auto work = std::move(work_);
    auto handler = std::move(handler_);
    destroy();
    asio::dispatch(work.get_executor(),
                   [handler = std::move(handler), why, value = std::move(value)]() mutable {
                     std::move(handler)(why, std::move(value));
                   });
  }

  void destroy() noexcept override {
    allocator from{asio::get_associated_allocator(handler_)};
    this->~stream_operation_of();
    std::allocator_traits<allocator>::deallocate(from, this, 1);
  }

  Handler handler_;
  asio::executor_work_guard<executor> work_;
};

} // namespace coppice::detail
