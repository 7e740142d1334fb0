// connection_set: what goes through one connection.
#include <coppice/runtime/worker/connection_set.hpp>
#include <coppice/runtime/worker/connection_turn.hpp>
#include <coppice/runtime/worker/socket_flags.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace coppice {

namespace {

bool not_now(int code) noexcept { return code == EAGAIN || code == EWOULDBLOCK || code == EINTR; }

} // namespace

// ---- input

bool connection_set::can_receive(const leased_connection& c) noexcept {
  // Beyond its journal an exchange is not protected: only for who cannot do without.
  if (c.covered() && c.input_size_ >= limits::lease_input &&
      (!c.more_wanted_ || c.unsent() > 0 || c.lease_.state().phase == exchange_phase::handling))
    return false;
  return !c.paused_ && !c.input_ended_ && c.input_size_ < c.input_limit_ &&
         c.unsent() < limits::connection_output;
}

void connection_set::receive(leased_connection& c) {
  if (c.covered()) {
    if (c.input_size_ < limits::lease_input) return receive_into_journal(c);
    expose(c, true); // more than the journal holds, and the user wants still more
  }
  const auto n = ::recv(c.socket_.get(), scratch_.data(), scratch_.size(), MSG_DONTWAIT);
  if (n < 0) {
    if (!not_now(errno)) gone(c, {errno, std::system_category()});
    return;
  }
  const std::string_view bytes{scratch_.data(), static_cast<std::size_t>(n)};
  if (c.lease_) c.lease_.received_past(bytes.size());
  if (n == 0) {
    c.input_ended_ = true;
  } else if (c.input_size_ == 0) {
    give_buffer(c.stored_);
    c.input_ = bytes.data();
    c.input_size_ = bytes.size();
  } else {
    store(c, bytes);
  }
  call_user(c, [&](connection_user& user) { user.on_input(c); });
}

/// Appends to the stored input, whose first bytes may be consumed already.
void connection_set::store(leased_connection& c, std::string_view bytes) {
  if (c.stored_.empty()) { // so far it lies in a journal that is left
    take_buffer(c.stored_);
    c.stored_.assign(c.input_, c.input_size_);
  }
  const std::size_t consumed = c.stored_.size() - c.input_size_;
  if (consumed > c.input_size_) c.stored_.erase(0, consumed);
  c.stored_.append(bytes);
  c.input_size_ += bytes.size();
  c.input_ = c.stored_.data() + (c.stored_.size() - c.input_size_);
}

/// After a callback: what it left unconsumed leaves the shared buffer; what it consumed leaves none
/// behind.
void connection_set::keep_input(leased_connection& c) {
  if (c.covered()) return;
  if (c.input_size_ == 0) {
    give_buffer(c.stored_);
    return;
  }
  if (!c.stored_.empty()) return;
  take_buffer(c.stored_);
  c.stored_.assign(c.input_, c.input_size_);
  c.input_ = c.stored_.data();
}

void connection_set::consume(leased_connection& c, std::size_t n) {
  assert(n <= c.input_size_);
  c.input_ += n;
  c.input_size_ -= n;
}

/// TCP drops what MSG_TRUNC reads without copying it (tcp(7)).
void connection_set::drop_input(leased_connection& c) {
  const auto n =
      ::recv(c.socket_.get(), scratch_.data(), scratch_.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (n > 0 || (n < 0 && not_now(errno))) return;
  if (n < 0) return gone(c, {errno, std::system_category()});
  c.input_ended_ = true;
  if (c.state_ == state::lingering) gone(c, {});
}

// ---- output

void connection_set::hand_over(leased_connection& c, std::span<const std::string_view> pieces) {
  if (c.state_ != state::open) return;
  std::size_t more = 0;
  for (const auto piece : pieces) more += piece.size();
  if (more == 0) return;
  const bool stage = c.dispatching_ && c.unsent() + more <= limits::connection_staged;
  if (!stage && !c.flush_awaited_) return send_now(c, pieces);
  if (c.output_.empty()) take_buffer(c.output_);
  if (c.output_sent_ > c.output_.size() / 2) {
    c.output_.erase(0, c.output_sent_);
    c.output_sent_ = 0;
  }
  for (const auto piece : pieces) c.output_.append(piece);
}

/// Sends what is staged and `pieces` behind it in one call, and keeps what the socket does not
/// take.
void connection_set::send_now(leased_connection& c, std::span<const std::string_view> pieces) {
  constexpr std::size_t most = 8;
  std::array<iovec, most> parts;
  std::size_t count = 0;
  const auto add = [&](std::string_view bytes) {
    if (!bytes.empty()) parts[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
  };
  add(std::string_view{c.output_}.substr(c.output_sent_));
  std::size_t taken_along = 0;
  while (taken_along < pieces.size() && count < most) add(pieces[taken_along++]);

  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  const auto n = ::sendmsg(c.socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && !not_now(errno)) return gone(c, {errno, std::system_category()});
  if (n > 0 && c.lease_) c.lease_.sent_past(static_cast<std::size_t>(n));

  std::size_t sent = n < 0 ? 0 : static_cast<std::size_t>(n);
  const std::size_t of_staged = std::min(sent, c.unsent());
  c.output_sent_ += of_staged;
  sent -= of_staged;
  if (c.unsent() == 0) drop_output(c);
  for (auto piece : pieces) {
    const std::size_t gone_with_it = std::min(sent, piece.size());
    sent -= gone_with_it;
    piece.remove_prefix(gone_with_it);
    if (piece.empty()) continue;
    if (c.output_.empty()) take_buffer(c.output_);
    c.output_.append(piece);
  }
  if (c.unsent() == 0) return;
  c.flush_awaited_ = true;
  if (!c.dispatching_) update_interest(c);
}

/// Sends what waits. The last bytes before a close travel in one segment with the FIN: MSG_MORE
/// holds them back, and the shutdown that follows pushes them.
void connection_set::flush(leased_connection& c) {
  const int more = c.state_ == state::flushing ? MSG_MORE : 0;
  const auto left = c.waiting_output();
  const auto n =
      ::send(c.socket_.get(), left.data(), left.size(), MSG_DONTWAIT | MSG_NOSIGNAL | more);
  if (n < 0 && !not_now(errno)) return gone(c, {errno, std::system_category()});
  if (n > 0 && c.covered()) {
    c.lease_.sent(static_cast<std::size_t>(n));
  } else if (n > 0) {
    if (c.lease_) c.lease_.sent_past(static_cast<std::size_t>(n));
    c.output_sent_ += static_cast<std::size_t>(n);
  }
  if (c.unsent() == 0) {
    drop_output(c);
  } else {
    c.flush_awaited_ = true;
    if (n > 0 && c.state_ == state::flushing) c.deadline_ = clock::now() + limits::closing_stall;
  }
}

/// The socket has room again.
void connection_set::wrote(leased_connection& c) {
  flush(c);
  if (c.state_ == state::over || c.unsent() > 0) return;
  const bool owed = std::exchange(c.flush_awaited_, false);
  if (c.state_ == state::open && owed) {
    call_user(c, [&](connection_user& user) { user.on_flushed(c); });
  } else {
    settle(c);
  }
}

void connection_set::exchange_done() noexcept {
  ++served_;
  if (ledger_ != nullptr) ledger_->served(served_);
}

// ---- after each callback, call or event

void connection_set::settle(leased_connection& c) {
  if (c.state_ == state::over || c.state_ == state::vacant) return;
  if (c.state_ != state::open) consume(c, c.input_size_); // nobody reads it any more
  // Before the last bytes of an exchange past the slot are sent: its peer may go on at once, and
  // a worker that dies then has finished it.
  if (c.between_) try_to_cover(c);
  keep_input(c);
  if (c.unsent() > 0 && !c.flush_awaited_) flush(c);
  if (c.between_) try_to_cover(c); // it may fit now
  if (c.state_ == state::flushing && c.unsent() == 0) carry_on_close(c);
  if (c.yielding_) yield(c);
  update_interest(c);
}

/// Registers what the connection waits for. Input that is not wanted is switched off only once it
/// has come (`noticed`): mostly it is wanted again before that.
void connection_set::update_interest(leased_connection& c, bool noticed) {
  std::uint32_t wanted = c.unsent() > 0 ? EPOLLOUT : 0U;
  switch (c.state_) {
  case state::open:
    if (can_receive(c))
      wanted |= EPOLLIN;
    else if (!noticed)
      wanted |= c.interest_ & EPOLLIN;
    break;
  case state::flushing:
    if (c.close_how_ == close_mode::linger && !c.input_ended_) wanted |= EPOLLIN;
    break;
  case state::lingering:
    wanted = EPOLLIN;
    break;
  case state::vacant:
  case state::over:
    return;
  }
  if (c.in_set_ && wanted == c.interest_) return;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = c.key();
  if (::epoll_ctl(epoll_.native_handle(), c.in_set_ ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
                  c.socket_.get(), &event) != 0)
    return gone(c, {errno, std::system_category()});
  c.in_set_ = true;
  c.interest_ = wanted;
}

// ---- buffers

void connection_set::take_buffer(std::string& into) {
  if (spare_.empty()) return;
  into = std::move(spare_.back());
  spare_.pop_back();
}

void connection_set::drop_output(leased_connection& c) {
  give_buffer(c.output_);
  c.output_sent_ = 0;
}

void connection_set::give_buffer(std::string& from) {
  if (from.empty()) return;
  from.clear();
  if (from.capacity() <= limits::spare_buffer && spare_.size() < limits::spare_buffers)
    spare_.push_back(std::move(from));
  from = std::string{};
}

} // namespace coppice
