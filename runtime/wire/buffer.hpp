#pragma once
// Where a message is encoded: small ones in place, without allocating; larger ones on the heap.
// A value for the stack or a member, reused from message to message. Not thread-safe.
//
// It is a Stream as msgpack::packer wants one (`write`).

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace coppice::wire {

class buffer {
public:
  /// Messages up to this many bytes allocate nothing.
  static constexpr std::size_t in_place = 512;

  buffer() noexcept {} // not `= default`: the bytes in place stay uninitialized
  buffer(const buffer&) = delete;
  buffer& operator=(const buffer&) = delete;

  void clear() noexcept { size_ = 0; }

  void write(const char* data, std::size_t size) {
    if (size_ + size <= in_place) {
      std::memcpy(small_ + size_, data, size);
    } else {
      write_large(data, size);
    }
    size_ += size;
  }

  /// What was written since `clear`; valid until the next write.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {size_ <= in_place ? small_ : large_.data(), size_};
  }

private:
  void write_large(const char* data, std::size_t size) {
    if (size_ <= in_place) large_.assign(small_, small_ + size_);
    const auto* first = reinterpret_cast<const std::byte*>(data);
    large_.insert(large_.end(), first, first + size);
  }

  std::size_t size_ = 0;
  std::vector<std::byte> large_;
  std::byte small_[in_place];
};

} // namespace coppice::wire
