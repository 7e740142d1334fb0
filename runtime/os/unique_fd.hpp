#pragma once
// The owner of one file descriptor. Move-only; closes in its destructor. Not thread-safe, as an int
// is not.

#include <unistd.h>
#include <utility>

namespace coppice::os {

class unique_fd {
public:
  unique_fd() noexcept = default;
  /// Takes ownership of `fd`; a negative number is "none".
  explicit unique_fd(int fd) noexcept : fd_{fd} {}
  unique_fd(unique_fd&& other) noexcept : fd_{other.release()} {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;
  ~unique_fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }

  /// Gives the descriptor away: the caller closes it.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  /// Closes what is held, if anything, and holds `fd`. close(2): after EINTR the descriptor is gone
  /// on Linux, so the call is never repeated.
  void reset(int fd = -1) noexcept {
    if (int old = std::exchange(fd_, fd); old >= 0) ::close(old);
  }

private:
  int fd_ = -1;
};

} // namespace coppice::os
