#pragma once
// One client connection as a stream: what `worker::serve` gives to a coroutine. It models asio's
// AsyncReadStream and AsyncWriteStream, so asio::async_read_until(c, ...) and asio::async_write(c,
// ...) work, with any completion token. What is extra is the exchange: `async_wait_input` shows
// input without consuming it, and `async_reply` consumes it and hands the answer over in one
// commit, so that an exchange is done or not done and never half. A plain read or write makes the
// exchange streaming until the next async_reply.
//
// Lifetime: a move-only handle; the connection is closed, lingering, when it is destroyed. It may
// outlive the connection: then its operations fail. Thread-safety: none; on the worker's loop only.
// Handlers run through their associated executor; one that runs elsewhere must not touch the
// connection there. When the worker drains, reads give what has been received, and then
// asio::error::eof.
//
// Errors of the operations: asio::error::eof (the peer has ended its side), operation_aborted
// (cancelled, or closed here), and what the socket reports: connection_reset, broken_pipe,
// timed_out.

#include <coppice/runtime/worker/connection_stream.hpp>

#include <array>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace coppice {

class connection {
public:
  using executor_type = asio::io_context::executor_type;

  explicit connection(std::shared_ptr<detail::connection_stream> stream) noexcept
      : stream_{std::move(stream)} {}
  connection(connection&&) noexcept = default;
  connection& operator=(connection&& other) noexcept {
    if (this != &other) {
      close();
      stream_ = std::move(other.stream_);
    }
    return *this;
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { close(); }

  [[nodiscard]] executor_type get_executor() const noexcept {
    return stream_->loop().get_executor();
  }

  /// Reads at least one byte into `buffers`: completes with (error_code, size). One read or wait at
  /// a time.
  template <class MutableBuffers, class Token>
  auto async_read_some(const MutableBuffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
        [](auto handler, const std::shared_ptr<detail::connection_stream>& stream,
           asio::mutable_buffer into) {
          start<std::size_t>(stream, std::move(handler), any_cancellation, [&](auto operation) {
            return stream->read(into, std::move(operation));
          });
        },
        token, stream_, first_of<asio::mutable_buffer>(buffers));
  }

  /// Writes at most 64 KiB of `buffers`: completes with (error_code, size) once the socket has
  /// taken it. One write or reply at a time. A cancelled write may have been sent in part or whole.
  template <class ConstBuffers, class Token>
  auto async_write_some(const ConstBuffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
        [](auto handler, const std::shared_ptr<detail::connection_stream>& stream,
           const ConstBuffers& from) {
          const pieces all{from, most_written};
          start<std::size_t>(
              stream, std::move(handler), asio::cancellation_type::terminal,
              [&](auto operation) { return stream->write(all.span(), std::move(operation)); });
        },
        token, stream_, buffers);
  }

  /// Waits until there is input that has not been shown since something was last consumed:
  /// completes with (error_code, string_view of all unconsumed input), at eof with what is left.
  /// The view is valid until the handler returns or the coroutine suspends; `input()` gives it
  /// again. One read or wait at a time.
  template <class Token>
  auto async_wait_input(Token&& token) {
    return asio::async_initiate<Token, void(std::error_code, std::string_view)>(
        [](auto handler, const std::shared_ptr<detail::connection_stream>& stream) {
          start<std::string_view>(
              stream, std::move(handler), any_cancellation,
              [&](auto operation) { return stream->wait(std::move(operation)); });
        },
        token, stream_);
  }

  /// One exchange: consumes `n` bytes of `input()` and hands over all of `buffers`, in one commit:
  /// completes with (error_code, size of the answer) once the socket has taken it. One write or
  /// reply at a time.
  template <class ConstBuffers, class Token>
  auto async_reply(std::size_t n, const ConstBuffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(std::error_code, std::size_t)>(
        [](auto handler, const std::shared_ptr<detail::connection_stream>& stream,
           std::size_t consumed, const ConstBuffers& from) {
          const pieces all{from, static_cast<std::size_t>(-1)};
          start<std::size_t>(stream, std::move(handler), asio::cancellation_type::terminal,
                             [&](auto operation) {
                               return stream->reply(consumed, all.span(), std::move(operation));
                             });
        },
        token, stream_, n, buffers);
  }

  /// The input that is received and not consumed; valid until the next suspension.
  [[nodiscard]] std::string_view input() const noexcept {
    const auto* lease = open_lease();
    return lease != nullptr ? lease->input() : std::string_view{};
  }
  [[nodiscard]] bool is_open() const noexcept { return open_lease() != nullptr; }

  /// Pending operations complete with operation_aborted. Output that was taken over is still sent,
  /// but for `reset`.
  void close(close_mode how = close_mode::linger) {
    if (stream_) stream_->close(how);
  }

  /// Takes the socket and ends the lease; copy `input()` first. Empty if output still waits or it
  /// is closed.
  [[nodiscard]] os::unique_fd release() { return stream_->release(); }

  /// Whether an exchange whose input was shown may be run again if this worker dies: the one in
  /// progress and those that follow. If not, the connection is reset then. Default: no. It matters
  /// only under protection::request (worker::serve).
  void replayable(bool yes) noexcept {
    if (stream_) stream_->replayable(yes);
  }
  /// How often the exchange in progress has been started; 1 is the first time.
  [[nodiscard]] unsigned attempt() const noexcept {
    const auto* lease = open_lease();
    return lease != nullptr ? lease->attempt() : 1;
  }
  /// "127.0.0.1:51234"
  [[nodiscard]] result<std::string> peer() const {
    if (const auto* lease = open_lease()) return lease->peer();
    return failure_because("getpeername", {}, "the connection is closed");
  }

private:
  static constexpr std::size_t most_written = 64 * 1024;
  static constexpr auto any_cancellation = asio::cancellation_type::all;

  /// The buffers of a sequence as views; short sequences allocate nothing.
  class pieces {
  public:
    template <class ConstBuffers>
    pieces(const ConstBuffers& buffers, std::size_t most) {
      const auto end = asio::buffer_sequence_end(buffers);
      for (auto at = asio::buffer_sequence_begin(buffers); at != end && most > 0; ++at) {
        const asio::const_buffer one{*at};
        if (one.size() == 0) continue;
        const std::size_t size = one.size() < most ? one.size() : most;
        most -= size;
        add({static_cast<const char*>(one.data()), size});
      }
    }
    [[nodiscard]] std::span<const std::string_view> span() const noexcept {
      if (!many_.empty()) return many_;
      return std::span{few_}.first(count_);
    }

  private:
    void add(std::string_view piece) {
      if (count_ < few_.size()) {
        few_[count_++] = piece;
        return;
      }
      if (many_.empty()) many_.assign(few_.begin(), few_.end());
      many_.push_back(piece);
    }

    std::array<std::string_view, 8> few_;
    std::size_t count_ = 0;
    std::vector<std::string_view> many_;
  };

  template <class Buffer, class Buffers>
  static Buffer first_of(const Buffers& buffers) {
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto at = asio::buffer_sequence_begin(buffers); at != end; ++at)
      if (const Buffer one{*at}; one.size() > 0) return one;
    return {};
  }

  /// Wraps the handler, begins the operation, and ties the handler's cancellation slot to it.
  template <class Value, class Handler, class Begin>
  static void start(const std::shared_ptr<detail::connection_stream>& stream, Handler handler,
                    asio::cancellation_type accepted, Begin begin) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    auto operation =
        detail::stream_operation_of<Handler, Value>::make(stream->loop(), std::move(handler));
    const auto number = begin(std::move(operation));
    if (!slot.is_connected()) return;
    slot.assign([weak = std::weak_ptr{stream}, number, accepted](asio::cancellation_type how) {
      if ((how & accepted) == asio::cancellation_type::none) return;
      if (const auto alive = weak.lock()) alive->cancel_soon(number);
    });
  }

  [[nodiscard]] leased_connection* open_lease() const noexcept {
    auto* const lease = stream_ ? stream_->lease() : nullptr;
    return lease != nullptr && !lease->closed() ? lease : nullptr;
  }

  std::shared_ptr<detail::connection_stream> stream_;
};

} // namespace coppice
