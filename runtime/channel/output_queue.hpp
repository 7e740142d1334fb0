#pragma once
// Bytes that wait for room in a data channel's socket: one run of memory, added to at its end and
// sent from its front. A value; not thread-safe.

#include <coppice/runtime/limits.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace coppice {

class output_queue {
public:
  void add(std::span<const std::byte> bytes) {
    // Moving the rest to the front costs no more than sending what stood before it did.
    if (sent_ > bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(sent_));
      sent_ = 0;
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  [[nodiscard]] std::span<const std::byte> front() const noexcept {
    return std::span{bytes_}.subspan(sent_);
  }
  void sent(std::size_t size) {
    sent_ += size;
    if (sent_ == bytes_.size()) clear();
  }
  void clear() {
    sent_ = 0;
    bytes_.clear();
    if (bytes_.capacity() > kept) bytes_.shrink_to_fit();
  }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - sent_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

private:
  /// Of memory, for the next time: growing anew each time cost bulk senders half of their rate.
  static constexpr std::size_t kept = limits::mail_high + limits::data_read;

  std::vector<std::byte> bytes_;
  std::size_t sent_ = 0;
};

} // namespace coppice
