#pragma once
// One client connection of the load generator and the transaction on it. One thread.
//
// Without keep-alive a transaction is: connect, ask, read the answer, read the server's end of
// file. With it: ask and read the answer, on a connection that stays. Sockets close with SO_LINGER
// 0, so that neither side is left with a TIME_WAIT.

#include "load/options.hpp"
#include "load/report.hpp"

#include <array>
#include <coppice/runtime/os/unique_fd.hpp>
#include <cstdint>
#include <netinet/in.h>
#include <optional>
#include <string>

namespace bench::load {

/// What all connections of a run share.
struct surroundings {
  sockaddr_in server{};
  std::string request;
  bool keep_alive = false;
  int epoll = -1; ///< borrowed
  report results;
};

class connection {
public:
  /// Starts a transaction on a new connection; `scheduled` is when it should have started. If it is
  /// idle() afterwards, it has failed and is counted.
  void begin(surroundings& around, std::uint32_t index, clock::time_point scheduled);
  void on_event(surroundings& around, std::uint32_t index, std::uint32_t events);
  /// Counts a transaction that takes too long as failed and ends it.
  void expire(surroundings& around) { fail(around, ETIMEDOUT); }

  [[nodiscard]] bool idle() const noexcept { return state_ == state::idle; }
  [[nodiscard]] clock::time_point started() const noexcept { return started_; }

private:
  enum class state {
    idle,        ///< no socket
    connecting,  ///< nothing is sent yet
    reading,     ///< the request is sent, the answer is not complete
    awaiting_end ///< the answer is complete, the server's end of file is not seen
  };

  bool send_request(surroundings& around);
  void read(surroundings& around);
  void parse_head(surroundings& around);
  void answer_complete(surroundings& around);
  void close() noexcept;
  void fail(surroundings& around, int error);

  coppice::os::unique_fd socket_;
  state state_ = state::idle;
  clock::time_point started_;
  std::size_t received_ = 0;
  std::optional<std::size_t> answer_size_; ///< head and body, once the head is here
  std::array<char, 4096> buffer_{};
};

} // namespace bench::load
