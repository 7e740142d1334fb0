#include <coppice/runtime/worker/connection_set.hpp>
#include <coppice/runtime/worker/connection_turn.hpp>
#include <coppice/runtime/worker/socket_flags.hpp>

#include <algorithm>
#include <asio/post.hpp>
#include <cerrno>
#include <sys/socket.h>

namespace coppice {

result<std::unique_ptr<connection_set>> connection_set::open(asio::io_context& loop, worker* owner,
                                                             ledger_writer* ledger) {
  os::unique_fd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  if (!epoll) return system_failure("epoll_create1", {});
  std::unique_ptr<connection_set> set{new connection_set{loop, std::move(epoll), owner, ledger}};
  set->watch();
  return set;
}

connection_set::connection_set(asio::io_context& loop, os::unique_fd epoll, worker* owner,
                               ledger_writer* ledger)
    : loop_{loop},
      owner_{owner},
      ledger_{ledger},
      epoll_{loop, epoll.release()},
      sweep_timer_{loop} {}

connection_set::~connection_set() { *alive_ = nullptr; }

// ---- the loop

void connection_set::watch() {
  epoll_.async_wait(asio::posix::descriptor_base::wait_read,
                    [alive = alive_](const std::error_code& stopped) {
                      if (*alive != nullptr && !stopped) (*alive)->on_ready();
                    });
}

void connection_set::on_ready() {
  turn now{*this};
  handle_batch();
  now.finish();
  for (int round = 1; round < limits::connection_rounds && look_again_.worth(); ++round) {
    const int n = handle_batch();
    now.finish();
    look_again_.looked(n > 0);
    if (n == 0) break;
  }
  watch();
}

int connection_set::handle_batch() {
  const int n =
      ::epoll_wait(epoll_.native_handle(), events_.data(), static_cast<int>(events_.size()), 0);
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    auto& c = slots_[static_cast<std::uint32_t>(event.data.u64)];
    if (c.key() == event.data.u64) handle(c, event.events);
  }
  return std::max(n, 0); // EINTR: the descriptor is level-triggered, too
}

void connection_set::handle(leased_connection& c, std::uint32_t events) {
  const bool input = (events & EPOLLIN) != 0;
  const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  switch (c.state_) {
  case state::open:
    if ((events & EPOLLOUT) != 0 && c.unsent() > 0) wrote(c);
    if (c.state_ != state::open) return;
    if (input && can_receive(c)) {
      receive(c);
    } else if (broken) {
      gone(c, socket_error(c.socket_.get()));
    } else if (input) {
      update_interest(c, true);
    }
    return;
  case state::flushing:
    if (input && c.close_how_ == close_mode::linger) drop_input(c);
    if (c.state_ != state::flushing) return;
    if (broken) {
      gone(c, {});
    } else if ((events & EPOLLOUT) != 0) {
      wrote(c);
    } else {
      update_interest(c);
    }
    return;
  case state::lingering:
    drop_input(c);
    return;
  case state::vacant:
  case state::over:
    return; // ended earlier in this batch
  }
}

void connection_set::later_turn() {
  if (in_turn_ || turn_posted_) return;
  turn_posted_ = true;
  asio::post(loop_, [alive = alive_] {
    if (*alive == nullptr) return;
    (*alive)->turn_posted_ = false;
    turn now{**alive};
    now.finish();
  });
}

void connection_set::tell_empty() {
  emptied_ = false;
  if (open_ == 0 && on_empty_) on_empty_();
}

// ---- connections come

leased_connection& connection_set::vacant_slot() {
  if (vacant_.empty()) {
    const auto slot = static_cast<std::uint32_t>(slots_.size());
    return slots_.emplace_back(*this, slot);
  }
  auto& c = slots_[vacant_.back()];
  vacant_.pop_back();
  return c;
}

// A connection that no worker has held is as accept4 made it, and needs no flags: every call here
// says MSG_DONTWAIT, and TCP_NODELAY comes from the listening socket.
void connection_set::adopt(os::unique_fd socket, std::uint64_t id, std::uint32_t listener) {
  turn now{*this};
  auto& c = vacant_slot();
  begin(c, std::move(socket), id, listener);
  begin_user(c);
  if (c.state_ == state::open) receive(c);
  settle(c);
  now.finish();
}

void connection_set::begin(leased_connection& c, os::unique_fd socket, std::uint64_t id,
                           std::uint32_t listener) {
  ++open_;
  c.socket_ = std::move(socket);
  c.state_ = state::open;
  c.id_ = id;
  c.listener_ = listener;
  c.came_leased_ = false;
  c.input_limit_ = limits::connection_input;
}

void connection_set::begin_user(leased_connection& c) {
  c.dispatching_ = true;
  try {
    c.user_ = make_(c);
  } catch (...) {
    user_threw(c);
  }
  c.dispatching_ = false;
  if (!c.user_) gone(c, {});
}

/// Called from the catch block. What the connection was at, nobody knows any more.
void connection_set::user_threw(leased_connection& c) {
  if (!on_thrown_) throw;
  c.close(close_mode::reset);
  on_thrown_(std::current_exception());
}

// ---- the worker ends

// A request that has arrived is in progress: its user sees it before it hears of the drain.
void connection_set::drain(bool yield) {
  draining_ = true;
  turn now{*this};
  for (auto& c : slots_) {
    if (c.state_ != state::open) continue;
    if (yield && c.lease_ && movable_ != protection::none) {
      c.yielding_ = true;
      settle(c);
      continue;
    }
    if (can_receive(c)) receive(c);
    if (c.state_ == state::open) call_user(c, [&](connection_user& user) { user.on_drain(c); });
  }
  now.finish();
}

void connection_set::hurry() {
  turn now{*this};
  for (auto& c : slots_) {
    if (c.state_ == state::vacant || c.state_ == state::over) continue;
    if (c.state_ == state::open) begin_close(c, close_mode::at_once);
    if (c.state_ == state::over) continue;
    ::shutdown(c.socket_.get(), SHUT_WR);
    gone(c, {});
  }
  now.finish();
}

// ---- deadlines

void connection_set::arm_sweep(clock::time_point when) {
  if (when >= sweep_at_) return;
  sweep_at_ = when;
  sweep_timer_.expires_at(when);
  sweep_timer_.async_wait([alive = alive_](const std::error_code& stopped) {
    if (*alive != nullptr && !stopped) (*alive)->sweep();
  });
}

void connection_set::sweep() {
  turn now{*this};
  sweep_at_ = clock::time_point::max();
  const auto time = clock::now();
  for (auto& c : slots_)
    if (c.deadline_ <= time) {
      c.deadline_ = clock::time_point::max();
      on_deadline(c);
    }
  now.finish();
  auto next = clock::time_point::max();
  for (const auto& c : slots_) next = std::min(next, c.deadline_);
  if (next != clock::time_point::max()) arm_sweep(std::max(next, time + limits::deadline_sweep));
}

void connection_set::on_deadline(leased_connection& c) {
  switch (c.state_) {
  case state::open:
    call_user(c, [&](connection_user& user) { user.on_timeout(c); });
    break;
  case state::flushing: // the peer does not read
    gone(c, std::make_error_code(std::errc::timed_out));
    break;
  case state::lingering: // it had its time
    gone(c, {});
    break;
  case state::vacant:
  case state::over:
    break;
  }
}

} // namespace coppice
