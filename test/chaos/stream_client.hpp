#pragma once
// A client that does what others do not: sends byte by byte, reads in drips, ends its side early,
// and says exactly how a connection ended. Every call has a deadline, so a hang is a failure.

#include <coppice/runtime/os/unique_fd.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace coppice::test {

enum class ending_of_call {
  done,
  closed,   ///< the peer has ended its side, too early
  reset,    ///< ECONNRESET or EPIPE
  surplus,  ///< more came than was asked for
  too_late, ///< nothing came, or nothing was taken, until the deadline
};
[[nodiscard]] std::string_view to_string(ending_of_call how);

struct client_options {
  int receive_buffer = 0; ///< SO_RCVBUF; 0: the kernel's
  std::size_t drip = 64 * 1024;
  int deadline_ms = 20'000;
  std::string host = "127.0.0.1";
};

/// An answer as far as it came.
struct received {
  ending_of_call how = ending_of_call::done;
  int status = 0;
  int interims = 0; ///< 1xx before it
  std::string head{};
  std::string body{};
  std::size_t length = 0; ///< what the head says

  [[nodiscard]] std::uint64_t number(std::string_view field) const;
  [[nodiscard]] bool has(std::string_view field_line) const;
};

class stream_client {
public:
  explicit stream_client(int port, client_options how = {});

  [[nodiscard]] bool connected() const { return static_cast<bool>(socket_); }
  /// In pieces of `step` bytes, each a segment of its own.
  [[nodiscard]] ending_of_call send(std::string_view bytes, std::size_t step = SIZE_MAX);
  /// The next answer that is not a 1xx.
  [[nodiscard]] received receive();
  /// A 1xx; its status, or 0.
  [[nodiscard]] int receive_interim();
  void shut_write();
  /// Whether nothing follows but an end in good order.
  [[nodiscard]] ending_of_call receive_end();
  [[nodiscard]] int fd() const { return socket_.get(); }

private:
  ending_of_call fill();
  ending_of_call receive_head(std::string& head);

  client_options how_;
  os::unique_fd socket_;
  std::string buffer_;
};

} // namespace coppice::test
