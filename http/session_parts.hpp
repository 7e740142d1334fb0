#pragma once
// Internal to the session: the stream that it writes, and its half of a pending exchange.

#include <coppice/http/session.hpp>

namespace coppice::http {

/// An answer that is written piece by piece. Without body and source its pieces come from a
/// body_stream.
struct session::stream_state {
  delimiting how;
  std::uint64_t left;   ///< bytes still to come, if it is delimited by its length
  std::string body{};   ///< the content, if it is there whole
  std::size_t at = 0;   ///< how much of `body` is handed over
  body_source source{}; ///< what makes the content, if it is not
  std::string slice{};  ///< what the source made
};

class session::pending final : public pending_exchange {
public:
  explicit pending(session& owner) noexcept : session_{&owner}, service_{owner.service_} {}

  /// The session has no more to do with it.
  void forget() noexcept { session_ = nullptr; }

  [[nodiscard]] bool open() const noexcept override { return session_ != nullptr; }
  void answer(response&& whole) override { session_->answer(std::move(whole)); }
  void fail(std::exception_ptr error) override { session_->fail(error); }
  void drop() noexcept override;
  void replayable(bool may) override { session_->connection_.replayable(may); }
  void begin(response&& head, std::optional<std::uint64_t> length) override {
    session_->begin(std::move(head), length);
  }
  void write(std::string_view piece) override { session_->write(piece); }
  [[nodiscard]] std::size_t unsent() const noexcept override {
    return session_->connection_.unsent();
  }
  void when_room(room_callback ready) override;
  void stop_waiting() override;
  void finish() override { session_->finish_stream(); }
  void abandon() noexcept override;

private:
  session* session_;
  std::shared_ptr<service> service_;
};

} // namespace coppice::http
