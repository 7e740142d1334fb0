#include <coppice/runtime/worker/connection_stream.hpp>

#include <asio/error.hpp>
#include <asio/post.hpp>
#include <cassert>
#include <utility>

namespace coppice::detail {

class connection_stream::user final : public connection_user {
public:
  explicit user(std::shared_ptr<connection_stream> stream) noexcept : stream_{std::move(stream)} {}
  ~user() override { stream_->lease_ = nullptr; }

  void on_input(leased_connection&) override { stream_->pump_input(); }
  void on_flushed(leased_connection&) override { stream_->pump_output(); }
  void on_drain(leased_connection&) override { stream_->on_drain(); }
  void on_gone(leased_connection&, std::error_code why) override { stream_->on_gone(why); }

private:
  std::shared_ptr<connection_stream> stream_;
};

std::unique_ptr<connection_user>
connection_stream::make_user(std::shared_ptr<connection_stream> stream) {
  return std::make_unique<user>(std::move(stream));
}

// ---- operations begin

std::uint64_t connection_stream::read(asio::mutable_buffer into,
                                      size_operation::pointer operation) {
  assert(reading_ == 0);
  read_ = std::move(operation);
  into_ = into;
  reading_ = ++operations_;
  open_exchange();
  if (lease_ != nullptr) lease_->want_more(true);
  if (lease_ == nullptr || into.size() == 0 || draining_ || lease_->input_ended() ||
      !lease_->input().empty())
    pump_soon();
  return reading_;
}

std::uint64_t connection_stream::wait(view_operation::pointer operation) {
  assert(reading_ == 0);
  wait_ = std::move(operation);
  reading_ = ++operations_;
  if (std::exchange(handling_, false) && lease_ != nullptr) lease_->reading();
  if (lease_ == nullptr || draining_ || lease_->input_ended() || lease_->input().size() > seen_)
    pump_soon();
  else
    lease_->want_more(true);
  return reading_;
}

std::uint64_t connection_stream::write(std::span<const std::string_view> pieces,
                                       size_operation::pointer operation) {
  assert(writing_ == 0);
  write_ = std::move(operation);
  writing_ = ++operations_;
  written_ = 0;
  for (const auto piece : pieces) written_ += piece.size();
  open_exchange();
  if (lease_ != nullptr) lease_->write(pieces);
  pump_soon();
  return writing_;
}

std::uint64_t connection_stream::reply(std::size_t n, std::span<const std::string_view> pieces,
                                       size_operation::pointer operation) {
  assert(writing_ == 0);
  write_ = std::move(operation);
  writing_ = ++operations_;
  written_ = 0;
  for (const auto piece : pieces) written_ += piece.size();
  seen_ = 0;
  handling_ = false;
  if (lease_ != nullptr && lease_->streaming()) { // what was read before belongs to this exchange
    lease_->write(pieces);
    lease_->consume(n);
    lease_->end_stream();
  } else if (lease_ != nullptr) {
    lease_->reply(n, pieces);
  }
  pump_soon();
  return writing_;
}

void connection_stream::open_exchange() {
  if (lease_ != nullptr && !lease_->streaming()) lease_->begin_stream();
}

// ---- operations end

// Inside a callback output is only staged; when the posted pump runs, it has been sent or waits for
// on_flushed.
void connection_stream::pump_soon() {
  if (std::exchange(pump_posted_, true)) return;
  asio::post(loop_, [self = shared_from_this()] {
    self->pump_posted_ = false;
    self->pump();
  });
}

void connection_stream::pump() {
  pump_input();
  pump_output();
}

void connection_stream::pump_input() {
  if (reading_ == 0) return;
  if (lease_ == nullptr || lease_->closed()) {
    give_input(why_over(), 0);
  } else if (read_ && into_.size() == 0) {
    give_input({}, 0);
  } else if (!lease_->input().empty() && (read_ || lease_->input().size() > seen_)) {
    const auto input = lease_->input();
    std::size_t n = input.size();
    if (read_) {
      n = asio::buffer_copy(into_, asio::buffer(input));
      lease_->consume(n);
      seen_ = 0;
    } else {
      seen_ = n;
    }
    give_input({}, n);
  } else if (draining_ || lease_->input_ended()) {
    give_input(asio::error::eof, 0);
  }
}

void connection_stream::give_input(std::error_code why, std::size_t n) {
  reading_ = 0;
  if (lease_ != nullptr) lease_->want_more(false);
  if (read_) return size_operation::complete(std::move(read_), why, n);
  // At the end, what is left is shown with it: it will never grow.
  const auto view = lease_ != nullptr ? lease_->input() : std::string_view{};
  if (!view.empty() && lease_ != nullptr && !lease_->closed()) {
    handling_ = true;
    lease_->replayable(replayable_);
  }
  view_operation::complete(std::move(wait_), why, view);
}

void connection_stream::pump_output() {
  if (writing_ == 0) return;
  const bool over = lease_ == nullptr || lease_->closed();
  if (!over && lease_->unsent() > 0) return;
  writing_ = 0;
  size_operation::complete(std::move(write_), over ? why_over() : std::error_code{},
                           over ? 0 : written_);
}

void connection_stream::cancel_soon(std::uint64_t number) {
  asio::post(loop_, [self = shared_from_this(), number] { self->cancel(number); });
}

void connection_stream::cancel(std::uint64_t number) {
  const std::error_code why = asio::error::operation_aborted;
  if (number == reading_) {
    give_input(why, 0);
  } else if (number == writing_) {
    writing_ = 0;
    size_operation::complete(std::move(write_), why, 0);
  }
}

// ---- the connection ends

std::error_code connection_stream::why_over() const noexcept {
  return gone_ ? gone_ : std::error_code{asio::error::operation_aborted};
}

void connection_stream::close(close_mode how) {
  if (lease_ == nullptr) return;
  if (lease_->streaming()) lease_->end_stream();
  lease_->close(how);
  pump_soon();
}

void connection_stream::replayable(bool yes) {
  replayable_ = yes;
  if (handling_ && lease_ != nullptr) lease_->replayable(yes);
}

os::unique_fd connection_stream::release() {
  return lease_ != nullptr ? lease_->release() : os::unique_fd{};
}

void connection_stream::on_drain() {
  draining_ = true;
  pump_input();
}

/// asio's errors are of a category of its own: only so are they equal to
/// asio::error::connection_reset.
void connection_stream::on_gone(std::error_code why) {
  gone_ = {why.value(), asio::error::get_system_category()};
  lease_ = nullptr;
  pump();
}

} // namespace coppice::detail
