#include <coppice/runtime/wire/frame.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace coppice::wire {

std::array<std::byte, frame_prefix_size> frame_prefix(std::size_t length) noexcept {
  return {static_cast<std::byte>(length >> 24U), static_cast<std::byte>(length >> 16U),
          static_cast<std::byte>(length >> 8U), static_cast<std::byte>(length)};
}

void append_frame(std::vector<std::byte>& out, std::span<const std::byte> body) {
  if (body.empty() || body.size() > limits::envelope)
    throw std::length_error{"frame: a body has 1 byte to 16 MiB"};
  const auto prefix = frame_prefix(body.size());
  out.insert(out.end(), prefix.begin(), prefix.end());
  out.insert(out.end(), body.begin(), body.end());
}

std::span<std::byte> frame_reader::room() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (capacity_ > kept) move_to(kept);
  }
  if (filled_ && capacity_ < kept) {
    move_to(capacity_ * 2);
  } else if (capacity_ - held() < smallest / 2) {
    move_to(std::max(smallest, capacity_ * 2));
  } else if (begin_ > 0) {
    move_to(capacity_);
  }
  filled_ = false;
  room_ = std::min(capacity_ - end_, limits::data_read);
  return {bytes_.get() + end_, room_};
}

void frame_reader::received(std::size_t size) noexcept {
  end_ += size;
  filled_ = size == room_;
}

result<std::optional<std::span<const std::byte>>> frame_reader::next() {
  if (held() < frame_prefix_size) return std::nullopt;
  const auto* at = bytes_.get() + begin_;
  std::size_t length = 0;
  for (std::size_t i = 0; i < frame_prefix_size; ++i)
    length = length << 8U | std::to_integer<std::size_t>(at[i]);
  if (length == 0) return failure_because("decode", "frame", "its length is zero");
  if (length > limits::envelope)
    return failure_because("decode", "frame", "its length is " + std::to_string(length));
  if (held() - frame_prefix_size < length) return std::nullopt;
  begin_ += frame_prefix_size + length;
  return std::span<const std::byte>{at + frame_prefix_size, length};
}

// To the front, of the same bytes or of others.
void frame_reader::move_to(std::size_t capacity) {
  const auto size = held();
  if (capacity == capacity_) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, size);
  } else {
    auto bytes = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (size > 0) std::memcpy(bytes.get(), bytes_.get() + begin_, size);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = size;
}

} // namespace coppice::wire
