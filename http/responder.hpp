#pragma once
// How an asynchronous handler answers: at once or later, whole or piece by piece.
//
// A responder stands for one request that is not answered yet, and is used once. It may outlive the
// connection: what is sent to a client that has gone is dropped. A responder that is destroyed
// unused answers 500, so that no client waits for ever. Thread-safety: none; the worker's loop
// thread only (from elsewhere asio::post to it first).

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <coppice/http/pending_exchange.hpp>
#include <coppice/http/response.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace coppice::http {

/// The content of an answer, written piece by piece. Destroyed before finish(), it breaks the
/// connection, so that the client can tell that the answer is not whole. After the client has gone
/// everything here does nothing.
class body_stream {
public:
  explicit body_stream(std::shared_ptr<pending_exchange> exchange) noexcept
      : exchange_{std::move(exchange)} {}
  body_stream(body_stream&&) noexcept = default;
  body_stream& operator=(body_stream&& other) noexcept {
    if (this != &other) {
      abandon();
      exchange_ = std::move(other.exchange_);
    }
    return *this;
  }
  ~body_stream() { abandon(); }

  /// False once the client has gone or the answer is finished.
  [[nodiscard]] bool open() const noexcept { return exchange_ && exchange_->open(); }

  /// Hands the piece over; what the client does not take yet is kept in memory. Throws
  /// std::length_error, and breaks the connection, if it exceeds the length that was announced.
  void write(std::string_view piece) {
    if (open()) exchange_->write(piece);
  }

  /// Bytes handed over that the kernel has not taken yet.
  [[nodiscard]] std::size_t unsent() const noexcept { return open() ? exchange_->unsent() : 0; }

  /// write(), and completes when there is room for the next piece: void(std::error_code). Any
  /// completion token; one at a time. Errors: connection_reset (the client has gone),
  /// operation_canceled (per-operation cancellation; the piece is written all the same).
  template <class Token>
  auto async_write(std::string_view piece, Token&& token) {
    return asio::async_initiate<Token, void(std::error_code)>(
        [this, piece](auto&& handler) {
          using handler_type = std::decay_t<decltype(handler)>;
          write(piece);
          auto kept = std::make_shared<handler_type>(std::forward<decltype(handler)>(handler));
          if (auto slot = asio::get_associated_cancellation_slot(*kept); slot.is_connected())
            slot.assign([exchange = std::weak_ptr{exchange_}](asio::cancellation_type) {
              if (auto e = exchange.lock()) e->stop_waiting();
            });
          when_room([kept](std::error_code why) {
            asio::dispatch(asio::get_associated_executor(*kept),
                           [kept, why] { std::move (*kept)(why); });
          });
        },
        token);
  }

  /// Calls `ready` once, through the loop and never from in here, when there is room for more, or
  /// with an error as async_write has it.
  void when_room(room_callback ready) {
    if (exchange_) exchange_->when_room(std::move(ready));
  }

  /// The content is complete. Throws std::length_error, and breaks the connection, if it is shorter
  /// than announced.
  void finish() {
    if (auto exchange = std::move(exchange_); exchange && exchange->open()) exchange->finish();
  }

private:
  void abandon() noexcept {
    if (auto exchange = std::move(exchange_); exchange && exchange->open()) exchange->abandon();
  }

  std::shared_ptr<pending_exchange> exchange_;
};

class responder {
public:
  explicit responder(std::shared_ptr<pending_exchange> exchange) noexcept
      : exchange_{std::move(exchange)} {}
  responder(responder&&) noexcept = default;
  responder& operator=(responder&& other) noexcept {
    if (this != &other) {
      drop();
      exchange_ = std::move(other.exchange_);
    }
    return *this;
  }
  ~responder() { drop(); }

  /// False once the client is known to have gone, or after the responder has been used: work can be
  /// spared.
  [[nodiscard]] bool open() const noexcept { return exchange_ && exchange_->open(); }

  /// Answers.
  void send(response answer) {
    if (auto exchange = std::move(exchange_); exchange && exchange->open())
      exchange->answer(std::move(answer));
  }
  void operator()(response answer) { send(std::move(answer)); }

  /// Answers as if the handler had thrown `error`: 500, and options::fail_on_exception applies.
  void fail(std::exception_ptr error) {
    if (auto exchange = std::move(exchange_); exchange && exchange->open())
      exchange->fail(std::move(error));
  }

  /// Begins an answer whose content is written through the stream: `length` bytes of it, or chunked
  /// if none is given. If `head` has content, that is its first piece. A HEAD request gets the head
  /// alone: the stream is not open then.
  [[nodiscard]] body_stream stream(response head, std::optional<std::uint64_t> length = {}) {
    auto exchange = std::move(exchange_);
    if (exchange && exchange->open()) exchange->begin(std::move(head), length);
    return body_stream{std::move(exchange)};
  }

  /// Whether this request may be run again if the worker dies over it. The default is
  /// options::replayable.
  void replayable(bool may) {
    if (open()) exchange_->replayable(may);
  }

private:
  void drop() noexcept {
    if (auto exchange = std::move(exchange_); exchange && exchange->open()) exchange->drop();
  }

  std::shared_ptr<pending_exchange> exchange_;
};

} // namespace coppice::http
