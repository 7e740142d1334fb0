#pragma once
// Frames of a data channel: how envelopes are told apart in a stream of bytes.
//
//   stream := frame*
//   frame  := length:u32 body        big-endian, 1 <= length <= 16 MiB
//
// Pure: bytes in, bodies out, whatever sizes they arrive in. Not thread-safe.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/limits.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace coppice::wire {

/// Bytes of the length in front of a body.
inline constexpr std::size_t frame_prefix_size = 4;

/// The prefix of a body of `length` bytes, which is at most limits::envelope.
[[nodiscard]] std::array<std::byte, frame_prefix_size> frame_prefix(std::size_t length) noexcept;

/// Puts prefix and body behind what is in `out`. Throws std::length_error if the body is empty or
/// longer than limits::envelope.
void append_frame(std::vector<std::byte>& out, std::span<const std::byte> body);

/// Cuts a stream into bodies. Use: receive into room(), say received(n), take bodies with next()
/// until it has none.
class frame_reader {
public:
  /// Where to receive: at least 1 and at most limits::data_read bytes. Bodies given before become
  /// invalid. It grows with what has arrived, not with what a prefix claims: 4 bytes that announce
  /// 16 MiB cost nothing.
  [[nodiscard]] std::span<std::byte> room();

  /// `size` bytes were received into room().
  void received(std::size_t size) noexcept;

  /// The next whole body, valid until room() is called; nothing if more must be received first. An
  /// error, and the same for ever after, if a length is zero or above the limit.
  [[nodiscard]] result<std::optional<std::span<const std::byte>>> next();

  /// The last room was used up: more is likely to be there.
  [[nodiscard]] bool filled() const noexcept { return filled_; }

  /// Bytes received that belong to no body yet: not 0 at the end of the stream means that it ended
  /// inside a frame.
  [[nodiscard]] std::size_t held() const noexcept { return end_ - begin_; }

private:
  static constexpr std::size_t smallest = 4096;
  static constexpr std::size_t kept = limits::data_read; // larger ones are given back when empty

  void move_to(std::size_t capacity);

  std::unique_ptr<std::byte[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0; // of what no body was made of yet
  std::size_t end_ = 0;   // of what was received
  std::size_t room_ = 0;  // what room() gave last
  bool filled_ = false;
};

} // namespace coppice::wire
