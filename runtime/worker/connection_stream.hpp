#pragma once
// Internal. What stands between a leased connection and the `connection` handle that user code
// holds: the pending read and the pending write. Shared by the two, since either may go first. Loop
// thread only.

#include <coppice/runtime/worker/leased_connection.hpp>
#include <coppice/runtime/worker/stream_operation.hpp>

#include <asio/buffer.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

namespace coppice::detail {

class connection_stream : public std::enable_shared_from_this<connection_stream> {
public:
  using size_operation = stream_operation<std::size_t>;
  using view_operation = stream_operation<std::string_view>;

  connection_stream(asio::io_context& loop, leased_connection& lease) noexcept
      : loop_{loop},
        lease_{&lease} {
    lease.want_more(false); // until it is asked for
  }

  /// The user that passes a leased connection's callbacks on to a stream.
  [[nodiscard]] static std::unique_ptr<connection_user>
  make_user(std::shared_ptr<connection_stream> stream);

  [[nodiscard]] asio::io_context& loop() noexcept { return loop_; }
  /// Null once the connection is over.
  [[nodiscard]] leased_connection* lease() noexcept { return lease_; }

  // Each begins an operation; it completes through the loop, never from inside the call. At most
  // one of the first two and one of the others at a time. They give the operation's number, for
  // `cancel`.
  std::uint64_t read(asio::mutable_buffer into, size_operation::pointer operation);
  std::uint64_t wait(view_operation::pointer operation);
  std::uint64_t write(std::span<const std::string_view> pieces, size_operation::pointer operation);
  std::uint64_t reply(std::size_t n, std::span<const std::string_view> pieces,
                      size_operation::pointer operation);

  /// Completes operation `number`, if it still waits then, with operation_aborted through the loop.
  void cancel_soon(std::uint64_t number);
  void close(close_mode how);
  [[nodiscard]] os::unique_fd release();
  /// Holds for the exchange in progress and for all that follow.
  void replayable(bool yes);

private:
  class user;

  void cancel(std::uint64_t number);
  void pump_soon();
  void pump();
  void pump_input();
  void pump_output();
  void give_input(std::error_code why, std::size_t n);
  [[nodiscard]] std::error_code why_over() const noexcept;
  void open_exchange();
  void on_drain();
  void on_gone(std::error_code why);

  asio::io_context& loop_;
  leased_connection* lease_;
  bool pump_posted_ = false;
  bool draining_ = false; ///< no more input is waited for
  bool replayable_ = false;
  bool handling_ = false;        ///< the user was shown input, and has not answered it
  std::error_code gone_;         ///< why lease_ is null, if the peer did it
  std::uint64_t operations_ = 0; ///< so far
  std::uint64_t reading_ = 0;    ///< the number of the pending read or wait; 0: none
  std::uint64_t writing_ = 0;    ///< the number of the pending write; 0: none
  std::size_t seen_ = 0;         ///< input that the last wait showed and nobody has consumed any of
  std::size_t written_ = 0;      ///< what the pending write completes with
  asio::mutable_buffer into_;
  size_operation::pointer read_;
  view_operation::pointer wait_;
  size_operation::pointer write_;
};

} // namespace coppice::detail
