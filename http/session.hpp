#pragma once
// One connection that speaks HTTP: takes one request after the other from it, has the handler
// answer each, and writes the answers; with the timeouts, the drain and the end that belong to it.
// Not for users.
//
// Owned by the connection's user, next to its transport. When it is destroyed, whoever still holds
// a responder or a stream of it finds it closed. Loop thread only; nothing here calls back into the
// transport's callbacks.

#include <chrono>
#include <coppice/http/pending_exchange.hpp>
#include <coppice/http/request_parser.hpp>
#include <coppice/http/service.hpp>
#include <coppice/http/transport.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace coppice::http {

class session {
public:
  session(transport& connection, std::shared_ptr<service> shared);
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session();

  // What the connection tells, as connection_user has it.
  void on_input();
  void on_flushed() { room_made(); }
  void on_timeout();
  void on_drain();
  void on_gone();
  void on_abandoned(abandoned_why why);

private:
  class pending;
  struct stream_state;

  enum class phase : std::uint8_t {
    idle,      ///< between requests: nothing of the next one has come
    head,      ///< part of a head has come
    body,      ///< a head has come, part of its content is missing
    handling,  ///< an asynchronous handler has the request
    streaming, ///< an answer is written piece by piece
    full,    ///< answered, but so much waits for the client that its next request has to wait, too
    failing, ///< a handler threw: the worker is told once the client has its 500
    closing, ///< the last answer is handed over, or there will be none
  };

  // ---- requests (session.cpp)
  [[nodiscard]] bool reading() const noexcept { return phase_ <= phase::body; }
  void take_requests();
  bool receive();
  void wait_for_more(std::string_view input);
  void handle();
  void handle_later(request&& asked);
  void refuse(refusal why);

  // ---- answers (session_answer.cpp)
  [[nodiscard]] answer_context context() const;
  void answer(response&& made);
  void hand_over(std::size_t consumed, std::span<const std::string_view> pieces);
  void note_failure(const std::exception_ptr& thrown);
  void fail(const std::exception_ptr& thrown);
  void fail_late(const std::exception_ptr& thrown);
  void begin(response&& head, std::optional<std::uint64_t> length);
  void write(std::string_view piece);
  void finish_stream();
  [[noreturn]] void wrong_length(const char* than);
  void pump();
  bool next_slice();
  void exchange_over();

  // ---- waiting and ending (session.cpp)
  void arm(std::chrono::milliseconds timeout);
  void wait_for_client(phase next);
  void wait_and_look(phase next);
  void client_stalled();
  void look_again();
  void room_made();
  void tell_room(std::errc why);
  void end_failed();
  void close(close_mode how);
  void forget_pending(std::errc why);

  transport& connection_;
  std::shared_ptr<service> service_;
  request_parser parser_;
  phase phase_ = phase::idle;
  bool taking_ = false;     ///< take_requests is on the stack
  bool in_handler_ = false; ///< so is an asynchronous handler
  bool dropped_ = false;    ///< which has let go of its responder
  bool paused_ = false;     ///< the input is
  bool continued_ = false;  ///< this request has had its 100
  bool draining_ = false;
  bool looking_ = false;   ///< look_again is on its way
  bool keep_alive_ = true; ///< the client would go on after the exchange in progress
  /// The client sends nothing after this request: it said so (RFC 9112, 9.6), or its FIN has come.
  bool client_done_ = false;
  bool head_request_ = false;
  unsigned minor_version_ = 1;
  std::size_t written_ = 0; ///< bytes handed over
  std::size_t mark_ = 0; ///< how far the content, or the output, had come when the deadline was set
  std::string failure_;  ///< why the worker has to end
  std::shared_ptr<pending> pending_;
  std::unique_ptr<stream_state> stream_;
  room_callback room_;
  std::shared_ptr<session*>
      self_; ///< for what comes later through the loop: whether we are still here
};

} // namespace coppice::http
