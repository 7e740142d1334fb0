#pragma once
// The first bytes of connections that nobody reads from yet: waited for without blocking, and
// looked at with MSG_PEEK, so that they stay in the socket. An interface, so that the dispatcher
// runs against a fake one in virtual time; socket_first_bytes is the real one. Loop thread only.

#include <coppice/runtime/os/unique_fd.hpp>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace coppice {

/// More bytes have come, or no more will.
struct first_bytes_news {
  std::uint64_t id = 0;
  bool ended = false; ///< the client sends nothing more; it may still read
};

/// What a socket has in it.
struct peeked {
  enum class kind {
    bytes, ///< so many as there are, limits::first_bytes at most; none: they are awaited
    gone,  ///< the client has closed without a byte, or has reset the connection
  };
  kind what = kind::bytes;
  std::string_view bytes{}; ///< valid until the next look
};

class first_bytes {
public:
  using on_news = std::function<void(std::vector<first_bytes_news>)>;

  first_bytes() = default;
  first_bytes(const first_bytes&) = delete;
  first_bytes& operator=(const first_bytes&) = delete;
  virtual ~first_bytes() = default;

  /// Whom to tell, through the loop. Replaces who was told before; nullptr: nobody.
  virtual void tell(on_news news) = 0;
  /// Tells of this socket each time that something has come, and once for what is there already.
  /// False: it cannot be watched.
  [[nodiscard]] virtual bool watch(std::uint64_t id, const os::unique_fd& socket) = 0;
  /// Before the socket goes anywhere else. News of it may be on their way.
  virtual void forget(const os::unique_fd& socket) = 0;
  [[nodiscard]] virtual peeked peek(const os::unique_fd& socket) = 0;
};

} // namespace coppice
