#include <coppice/runtime/worker/leased_connection.hpp>

#include <coppice/runtime/net/socket_address.hpp>
#include <coppice/runtime/worker/connection_set.hpp>
#include <coppice/runtime/worker/socket_flags.hpp>

#include <ctime>
#include <utility>

namespace coppice {

namespace {

/// steady_clock to within a timer tick, for a fifth of its price; deadlines are coarse anyway.
std::chrono::steady_clock::time_point coarse_now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return std::chrono::steady_clock::time_point{std::chrono::seconds{time.tv_sec} +
                                               std::chrono::nanoseconds{time.tv_nsec}};
}

} // namespace

leased_connection::~leased_connection() = default;

void connection_user::on_abandoned(leased_connection& connection, abandoned_why) {
  connection.close(close_mode::reset);
}

void leased_connection::resume_input() {
  paused_ = false;
  if (state_ == state::open && !dispatching_) set_.update_interest(*this);
}

void leased_connection::want_more(bool yes) {
  if (std::exchange(more_wanted_, yes) == yes || !yes) return;
  if (state_ == state::open && !dispatching_) set_.update_interest(*this);
}

void leased_connection::set_input_limit(std::size_t bytes) {
  input_limit_ = bytes;
  if (state_ == state::open && !dispatching_) set_.update_interest(*this);
}

// Each of these may be the last thing that a handler does long after its callback: outside of one,
// what follows is done here.

void leased_connection::reply(std::size_t n, std::span<const std::string_view> answer, bool last) {
  if (state_ != state::open) return;
  assert(!streaming_);
  if (covered() && lease_.reply(n, answer, last)) {
    set_.staged(*this);
  } else {
    if (covered()) set_.expose(*this, false);
    // The answer may point into the input: it is handed over before that is given up.
    set_.hand_over(*this, answer);
    set_.consume(*this, n);
    lease_.passed();
    between_ = true;
  }
  set_.exchange_done();
  if (!dispatching_) set_.settle(*this);
}

void leased_connection::interim(std::string_view answer) {
  if (state_ != state::open) return;
  if (covered()) {
    if (lease_.interim(answer)) return set_.staged(*this);
    set_.expose(*this, true);
  }
  set_.hand_over(*this, {&answer, 1});
}

void leased_connection::replayable(bool yes) noexcept {
  replayable_ = yes;
  between_ = false;
  if (lease_) lease_.handling(yes);
}

void leased_connection::begin_stream() {
  assert(!streaming_);
  streaming_ = true;
  if (covered() && state_ == state::open) set_.expose(*this, false);
  between_ = false;
}

void leased_connection::consume(std::size_t n) {
  if (state_ != state::open) return;
  assert(streaming_);
  set_.consume(*this, n);
  if (!dispatching_) set_.settle(*this);
}

void leased_connection::write(std::string_view bytes) { write({&bytes, 1}); }

void leased_connection::write(std::span<const std::string_view> pieces) {
  if (state_ != state::open) return;
  assert(streaming_);
  set_.hand_over(*this, pieces);
}

void leased_connection::end_stream() {
  if (state_ != state::open) return;
  assert(streaming_);
  streaming_ = false;
  lease_.passed();
  between_ = true;
  set_.exchange_done();
  if (!dispatching_) set_.settle(*this);
}

void leased_connection::close(close_mode how) {
  if (state_ == state::open) set_.begin_close(*this, how);
}

os::unique_fd leased_connection::release() {
  if (state_ != state::open) return {};
  if (unsent() > 0 && !flush_awaited_) set_.flush(*this);
  if (state_ != state::open || unsent() > 0) return {};
  auto socket = set_.detach(*this);
  set_.give_lease_back(*this, lease_return::over);
  set_nonblocking(socket.get());
  set_.gone(*this, {});
  return socket;
}

result<std::string> leased_connection::peer() const {
  if (!socket_) return failure_because("getpeername", {}, "the connection is closed");
  return peer_address(socket_.get());
}

void leased_connection::set_deadline(std::optional<std::chrono::milliseconds> from_now) {
  if (state_ != state::open) return;
  if (!from_now) {
    deadline_ = clock::time_point::max();
    return;
  }
  deadline_ = coarse_now() + *from_now;
  set_.arm_sweep(deadline_);
}

worker& leased_connection::owner() noexcept {
  assert(set_.owner_ != nullptr);
  return *set_.owner_;
}

} // namespace coppice
