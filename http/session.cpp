// The session's requests, waiting and end; its answers are in session_answer.cpp.
#include <coppice/http/session.hpp>
#include <coppice/http/session_parts.hpp>
#include <utility>

namespace coppice::http {

session::session(transport& connection, std::shared_ptr<service> shared)
    : connection_{connection},
      service_{std::move(shared)},
      parser_{service_->choices} {
  arm(service_->choices.idle_timeout);
}

session::~session() { forget_pending(std::errc::connection_reset); }

void session::on_input() {
  if (reading()) take_requests();
}

/// Everything that is there, one request after the other.
void session::take_requests() {
  if (taking_) return;
  taking_ = true;
  while (reading() && !connection_.closed() && receive()) handle();
  taking_ = false;
  if (phase_ == phase::idle) arm(service_->choices.idle_timeout);
}

/// True: a whole request is at hand. If not, what has to be done about it is done.
bool session::receive() {
  const std::string_view input = connection_.input();
  if (parser_.kept()) {
    connection_.consume(parser_.take(input));
  } else if (!input.empty()) {
    parser_.parse(input);
  }
  switch (parser_.where()) {
  case request_parser::state::complete:
    return true;
  case request_parser::state::refused:
    refuse(parser_.why());
    return false;
  case request_parser::state::head:
  case request_parser::state::body:
    break;
  }
  if (parser_.untouched() && (draining_ || connection_.input_ended())) {
    close(connection_.input_ended() ? close_mode::at_once : close_mode::linger);
  } else if (connection_.input_ended()) {
    refuse({400, "the request ends early"});
  } else {
    wait_for_more(input);
  }
  return false;
}

void session::wait_for_more(std::string_view input) {
  if (parser_.untouched()) return;
  const options& choices = service_->choices;
  if (parser_.wants_continue() && !connection_.interim_sent() && !std::exchange(continued_, true)) {
    if (parser_.kept()) {
      connection_.write({&serializer::go_on, 1});
    } else {
      connection_.interim(serializer::go_on);
    }
  }
  if (!parser_.kept() &&
      (input.size() >= limits::http_in_place || parser_.expected_size() > limits::http_in_place)) {
    connection_.replayable(true); // as long as no handler has seen it
    connection_.begin_stream();
    parser_.keep(input);
    connection_.consume(input.size());
  }
  if (parser_.where() == request_parser::state::head) {
    // From its first byte, however slowly the others come.
    if (std::exchange(phase_, phase::head) != phase::head) arm(choices.head_timeout);
  } else if (std::exchange(phase_, phase::body) != phase::body ||
             parser_.received() >= mark_ + limits::http_body_progress) {
    mark_ = parser_.received();
    arm(choices.body_timeout);
  }
}

void session::handle() {
  request& asked = parser_.message();
  const std::size_t behind = connection_.input().size() - (parser_.kept() ? 0 : parser_.size());
  asked.attempt_ = connection_.attempt();
  minor_version_ = asked.minor_version();
  head_request_ = asked.method() == "HEAD";
  keep_alive_ = parser_.keep_alive() && !(connection_.input_ended() && behind == 0);
  client_done_ = behind == 0 && (!parser_.keep_alive() || connection_.input_ended());

  const handler& how = service_->how;
  const auto& replayable = service_->choices.replayable;
  std::exception_ptr thrown;
  std::optional<response> made = [&]() -> std::optional<response> {
    try {
      connection_.replayable(replayable ? replayable(asked) : asked.idempotent());
      if (how.sync) return how.sync(asked);
    } catch (...) {
      thrown = std::current_exception();
    }
    return std::nullopt;
  }();
  if (thrown) {
    fail(thrown);
  } else if (made) {
    answer(std::move(*made));
  } else {
    asked.own(asked.size_);
    handle_later(std::move(asked));
  }
}

void session::handle_later(request&& asked) {
  phase_ = phase::handling;
  arm(std::chrono::milliseconds::max());
  const auto mine = pending_ = std::make_shared<pending>(*this);
  std::exception_ptr thrown;
  dropped_ = false;
  in_handler_ = true;
  try {
    service_->how.async(std::move(asked), responder{mine});
  } catch (...) {
    thrown = std::current_exception();
  }
  in_handler_ = false;
  const bool answered = !mine->open() || phase_ == phase::streaming;
  if (thrown) return answered ? fail_late(thrown) : fail(thrown);
  if (std::exchange(dropped_, false)) return mine->drop();
  if (!mine->open()) return;
  paused_ = true;
  connection_.pause_input();
}

void session::refuse(refusal why) {
  service_->log.debug("http: {} for a request: {}", why.status, why.why);
  head_request_ = parser_.message().method() == "HEAD";
  minor_version_ = 1;
  keep_alive_ = false;
  response made = status(why.status);
  made.body_.insert(made.body_.size() - 1, std::string{": "}.append(why.why));
  if (why.status == 503) made.header("Retry-After", "1");
  hand_over(connection_.input().size(), service_->writer.whole(made, context()));
  close(connection_.input_ended() ? close_mode::at_once : close_mode::linger);
}

// ---- waiting

void session::arm(std::chrono::milliseconds timeout) {
  if (timeout == std::chrono::milliseconds::max()) {
    connection_.set_deadline(std::nullopt);
  } else {
    connection_.set_deadline(timeout);
  }
}

void session::on_timeout() {
  switch (phase_) {
  case phase::idle:
    return close(close_mode::linger);
  case phase::head:
    return refuse({408, "the head did not come in time"});
  case phase::body:
    return refuse({408, "the content did not come in time"});
  case phase::streaming:
  case phase::full:
    return client_stalled();
  case phase::failing:
    return end_failed();
  case phase::handling:
  case phase::closing:
    return;
  }
}

/// The client has to take what waits for it, or part of it, in each write_timeout.
void session::wait_for_client(phase next) {
  phase_ = next;
  mark_ = written_ - connection_.unsent();
  arm(service_->choices.write_timeout);
}

void session::wait_and_look(phase next) {
  if (!std::exchange(paused_, true)) connection_.pause_input();
  wait_for_client(next);
  look_again();
}

void session::client_stalled() {
  if (connection_.unsent() > 0 && written_ - connection_.unsent() == mark_)
    return close(close_mode::reset);
  wait_for_client(phase_);
}

/// Output that was staged inside a callback leaves without on_flushed when the callback returns, so
/// whoever begins to wait for room looks once more through the loop.
void session::look_again() {
  if (std::exchange(looking_, true)) return;
  if (!self_) self_ = std::make_shared<session*>(this);
  service_->later([weak = std::weak_ptr{self_}] {
    const auto self = weak.lock();
    if (!self) return;
    (*self)->looking_ = false;
    (*self)->room_made();
  });
}

void session::room_made() {
  switch (phase_) {
  case phase::streaming:
    if (connection_.unsent() > service_->choices.max_unsent) return;
    if (stream_->source || !stream_->body.empty()) {
      pump();
    } else {
      tell_room({});
    }
    return;
  case phase::full:
    if (connection_.unsent() <= service_->choices.max_unsent) exchange_over();
    return;
  case phase::failing:
    if (connection_.unsent() == 0) end_failed();
    return;
  case phase::idle:
  case phase::head:
  case phase::body:
  case phase::handling:
  case phase::closing:
    return;
  }
}

void session::tell_room(std::errc why) {
  if (!room_) return;
  const auto code = why == std::errc{} ? std::error_code{} : std::make_error_code(why);
  service_->later([told = std::exchange(room_, nullptr), code] { told(code); });
}

// ---- the end

void session::on_drain() {
  draining_ = true;
  if (phase_ == phase::idle) close(close_mode::linger);
}

/// A request that a worker died over, and that is not run again.
void session::on_abandoned(abandoned_why why) {
  parser_.parse(connection_.input());
  switch (why) {
  case abandoned_why::too_often:
    return refuse({503, "too many workers have died meanwhile"});
  case abandoned_why::poison:
    return refuse({500, "workers die of this request"});
  case abandoned_why::none:
  case abandoned_why::not_replayable:
    return refuse({502, "the worker that had this request has died"});
  }
}

void session::on_gone() {
  phase_ = phase::closing;
  stream_.reset();
  forget_pending(std::errc::connection_reset);
  if (!failure_.empty()) service_->fail(std::exchange(failure_, {}));
}

void session::end_failed() {
  service_->fail(std::exchange(failure_, {}));
  close(close_mode::linger);
}

void session::close(close_mode how) {
  phase_ = phase::closing;
  stream_.reset();
  forget_pending(std::errc::connection_reset);
  connection_.close(how);
}

void session::forget_pending(std::errc why) {
  if (const auto gone = std::exchange(pending_, nullptr)) gone->forget();
  tell_room(why);
}

} // namespace coppice::http
