#pragma once
// One request on a connection of its own to a server on 127.0.0.1, without blocking: the caller
// polls. One thread.

#include <coppice/runtime/os/unique_fd.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

class http_exchange {
public:
  enum class progress {
    pending,  ///< wait until fd() can be read
    answered, ///< body() is complete
    broken    ///< refused, reset, or ended before the answer was complete
  };

  /// Connects and asks; on loopback both are done when this returns.
  http_exchange(std::uint16_t port, std::string_view path);

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] progress step();
  [[nodiscard]] std::string body() const { return text_.substr(head_size_); }

private:
  coppice::os::unique_fd socket_;
  bool broken_ = false;
  std::string text_; ///< what was received
  std::size_t head_size_ = 0;
};

} // namespace bench
