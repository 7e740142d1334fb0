#pragma once
// A move-only value inside a message. CAF copies messages and hands them out as const, so a message
// cannot hold a `unique_fd` itself; it holds a `port::moved<unique_fd>`. All copies share the one
// value; whoever takes it first has it, and what nobody took is destroyed with the last copy.
// Not thread-safe: the copies stay on the loop thread.

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace coppice::port {

template <class T>
class moved {
public:
  /// Holds nothing.
  moved() = default;
  moved(T value) // NOLINT(google-explicit-constructor): so that a message is made in one line
      requires(!std::is_const_v<T>)
      : shared_{std::make_shared<std::optional<T>>(std::move(value))} {}

  /// The value, for the first who asks; nothing for everybody after, on every copy.
  [[nodiscard]] std::optional<T> take() const {
    if (!shared_) return std::nullopt;
    return std::exchange(*shared_, std::nullopt);
  }
  /// Whether it is still there to be taken.
  [[nodiscard]] explicit operator bool() const noexcept { return shared_ && shared_->has_value(); }

private:
  std::shared_ptr<std::optional<T>> shared_;
};

} // namespace coppice::port
