#pragma once
// Walks over msgpack bytes in place: no allocation, no recursion, no exception, and nothing that a
// header claims is believed before the bytes are there. For heads of messages that pass through;
// whoever wants values uses msgpack itself. Pure; a value; the bytes must outlive it.
//
// Each function answers nothing, and leaves the cursor where it is, if what stands there is
// something else, is cut off, or is not msgpack at all.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace coppice::wire {

class cursor {
public:
  explicit cursor(std::span<const std::byte> bytes) noexcept : left_{bytes} {}

  /// The header of an array: its number of elements, which are never more than the bytes left.
  [[nodiscard]] std::optional<std::size_t> array() noexcept;
  /// The header of a map: its number of pairs.
  [[nodiscard]] std::optional<std::size_t> pairs() noexcept;
  /// An unsigned number. (msgpack has more than one way to write 7; all are read.)
  [[nodiscard]] std::optional<std::uint64_t> number() noexcept;
  /// A string. Its bytes need not be UTF-8.
  [[nodiscard]] std::optional<std::string_view> text() noexcept;
  /// The bytes of one whole value of any type, nested at most limits::msgpack_depth deep.
  [[nodiscard]] std::optional<std::span<const std::byte>> value() noexcept;
  /// The same, if it is a map.
  [[nodiscard]] std::optional<std::span<const std::byte>> map() noexcept;

  [[nodiscard]] bool at_end() const noexcept { return left_.empty(); }
  [[nodiscard]] std::span<const std::byte> left() const noexcept { return left_; }

private:
  std::span<const std::byte> left_;
};

} // namespace coppice::wire
