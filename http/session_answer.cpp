// The session's answers, whole and streamed.
#include <coppice/http/session.hpp>
#include <coppice/http/session_parts.hpp>
#include <stdexcept>
#include <utility>

namespace coppice::http {

answer_context session::context() const {
  return {.minor_version = minor_version_,
          .head_request = head_request_,
          .keep_alive = keep_alive_ && !draining_,
          .now = service_->now()};
}

void session::answer(response&& made) {
  if (made.close_) keep_alive_ = false;
  if (!serializer::sends_content(made, context())) {
    if (made.source_) return begin(std::move(made), made.length_);
  } else if (made.source_) {
    auto source = std::move(made.source_);
    begin(std::move(made), made.length_);
    stream_->source = std::move(source);
    return pump();
  } else if (made.body_.size() > limits::http_whole_answer) {
    auto body = std::exchange(made.body_, {});
    begin(std::move(made), body.size());
    stream_->body = std::move(body);
    return pump();
  }
  hand_over(parser_.size(), service_->writer.whole(made, context()));
  exchange_over();
}

/// A whole answer, for which the first `consumed` bytes of input are done with.
void session::hand_over(std::size_t consumed, std::span<const std::string_view> pieces) {
  for (const auto piece : pieces) written_ += piece.size();
  const bool last = !keep_alive_ || draining_ || !failure_.empty();
  if (!parser_.kept()) return connection_.reply(consumed, pieces, last);
  connection_.write(pieces);
  connection_.end_stream();
}

void session::note_failure(const std::exception_ptr& thrown) {
  std::string what = "not a std::exception";
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) { // what it is stays unknown
  }
  service_->log.error("http: a handler threw: {}", what);
  if (!service_->choices.fail_on_exception) return;
  failure_ = "an HTTP handler threw: " + what;
  keep_alive_ = false;
}

/// The handler threw before it answered.
void session::fail(const std::exception_ptr& thrown) {
  note_failure(thrown);
  answer(status(500));
}

/// It threw afterwards, or while the answer was written: then the head is out and says something
/// else, so that only the end of the connection can tell the client.
void session::fail_late(const std::exception_ptr& thrown) {
  note_failure(thrown);
  if (phase_ == phase::streaming) return close(close_mode::reset);
  if (phase_ != phase::closing && !failure_.empty()) wait_and_look(phase::failing);
}

// ---- streams

/// An answer whose content is still to come; or its head alone, if it has none on the wire.
void session::begin(response&& head, std::optional<std::uint64_t> length) {
  if (head.close_) keep_alive_ = false;
  const auto how = serializer::delimit(length.has_value(), context());
  const bool content = serializer::sends_content(head, context());
  if (how == delimiting::connection && content) keep_alive_ = false;
  const auto text = service_->writer.head(head, context(), how, length.value_or(0));
  if (!content) {
    hand_over(parser_.size(), {&text, 1});
    return exchange_over();
  }
  if (!parser_.kept()) {
    connection_.begin_stream();
    connection_.consume(parser_.size());
  }
  written_ += text.size();
  connection_.write({&text, 1});
  stream_ = std::make_unique<stream_state>(stream_state{.how = how, .left = length.value_or(0)});
  wait_for_client(phase::streaming);
  write(head.body_);
}

void session::write(std::string_view piece) {
  if (piece.empty()) return; // an empty chunk would be the last
  if (stream_->how == delimiting::length) {
    if (piece.size() > stream_->left) return wrong_length("longer");
    stream_->left -= piece.size();
  }
  written_ += piece.size();
  if (stream_->how != delimiting::chunked) return connection_.write({&piece, 1});
  const std::string_view line = service_->writer.chunk_line(piece.size());
  written_ += line.size() + serializer::chunk_end.size();
  const std::string_view chunk[] = {line, piece, serializer::chunk_end};
  connection_.write(chunk);
}

void session::finish_stream() {
  if (stream_->how == delimiting::length && stream_->left > 0) return wrong_length("shorter");
  if (stream_->how == delimiting::chunked) {
    written_ += serializer::last_chunk.size();
    connection_.write({&serializer::last_chunk, 1});
  }
  connection_.end_stream();
  exchange_over();
}

void session::wrong_length(const char* than) {
  close(close_mode::reset);
  throw std::length_error{std::string{"http: a stream is "} + than + " than announced"};
}

/// Slices, as long as the client takes them; after some of them other connections have their turn.
void session::pump() {
  for (std::size_t n = 0; n < limits::http_slices_in_a_row; ++n) {
    // This much is not only staged: on_flushed will come.
    if (connection_.closed() || connection_.unsent() >= limits::http_slice) return;
    try {
      if (!next_slice()) return;
    } catch (...) {
      return fail_late(std::current_exception());
    }
  }
  look_again();
}

/// False: it was the last.
bool session::next_slice() {
  stream_state& now = *stream_;
  bool more = true;
  if (now.source) {
    now.slice.clear();
    more = now.source(now.slice);
    if (now.slice.empty() && more) throw std::logic_error{"http: a body_source made nothing"};
    write(now.slice);
  } else {
    const auto piece = std::string_view{now.body}.substr(now.at, limits::http_slice);
    now.at += piece.size();
    more = now.at < now.body.size();
    write(piece);
  }
  if (!more) finish_stream();
  return more;
}

/// The answer is handed over: what comes next?
void session::exchange_over() {
  stream_.reset();
  forget_pending(std::errc::operation_canceled);
  parser_.reset();
  continued_ = false;
  if (!failure_.empty()) return wait_and_look(phase::failing);
  if (!keep_alive_ || draining_) {
    // Who may still be sending is heard out, lest a reset overtake the answer; who is done need not
    // be waited for.
    const bool quiet = connection_.input_ended() || (client_done_ && connection_.input().empty());
    return close(quiet ? close_mode::at_once : close_mode::linger);
  }
  if (connection_.unsent() > service_->choices.max_unsent) return wait_and_look(phase::full);
  phase_ = phase::idle;
  if (std::exchange(paused_, false)) connection_.resume_input();
  take_requests();
}

// ---- the responder's half

void session::pending::drop() noexcept {
  if (session_->in_handler_) { // it may still be about to throw
    session_->dropped_ = true;
    return;
  }
  service_->log.warn("http: a responder was dropped without an answer");
  session_->answer(status(500));
}

void session::pending::when_room(room_callback ready) {
  if (!open()) {
    service_->later(
        [told = std::move(ready)] { told(std::make_error_code(std::errc::connection_reset)); });
    return;
  }
  session_->tell_room(std::errc::operation_canceled); // one at a time
  session_->room_ = std::move(ready);
  session_->look_again();
}

void session::pending::stop_waiting() {
  if (open()) session_->tell_room(std::errc::operation_canceled);
}

void session::pending::abandon() noexcept {
  service_->log.warn("http: a stream was dropped before it was finished");
  session_->close(close_mode::reset);
}

} // namespace coppice::http
