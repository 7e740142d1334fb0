// connection_set: how one connection ends.
#include <coppice/runtime/worker/connection_set.hpp>
#include <coppice/runtime/worker/connection_turn.hpp>
#include <coppice/runtime/worker/socket_flags.hpp>

#include <sys/socket.h>

namespace coppice {

void connection_set::begin_close(leased_connection& c, close_mode how) {
  c.close_how_ = how;
  c.deadline_ = clock::time_point::max();
  if (how == close_mode::reset) {
    abort_connection(c.socket_.get());
    gone(c, {});
    return;
  }
  if (c.covered()) {
    c.lease_.closing();
  } else if (c.lease_ && c.lease_.cover({}, c.waiting_output(), true)) {
    drop_output(c);
    c.input_size_ = 0;
  }
  c.state_ = state::flushing;
  retire_user(c);
  if (c.flush_awaited_) {
    c.deadline_ = clock::now() + limits::closing_stall;
    arm_sweep(c.deadline_);
  }
  if (!c.dispatching_) settle(c);
}

/// The output is written. close(2) alone would end nothing, as the primary may still hold a
/// duplicate of the socket: it is the shutdown that sends the FIN. A close with unread input would
/// make TCP send a reset, which can overtake the answer; so a peer that may still be sending is
/// heard out.
void connection_set::carry_on_close(leased_connection& c) {
  ::shutdown(c.socket_.get(), SHUT_WR);
  if (c.close_how_ == close_mode::linger && !c.input_ended_) {
    c.state_ = state::lingering;
    c.deadline_ = clock::now() + (draining_ ? clock::duration{limits::drain_linger}
                                            : clock::duration{limits::linger});
    arm_sweep(c.deadline_);
  } else {
    gone(c, {});
  }
}

void connection_set::gone(leased_connection& c, std::error_code why) {
  if (c.state_ == state::over || c.state_ == state::vacant) return;
  if (c.state_ == state::open) c.gone_why_ = why;
  detach(c).reset();
  give_lease_back(c, lease_return::over);
  if (!c.came_leased_ && ledger_ != nullptr && ledger_->ended_one() && on_room_) on_room_();
  c.state_ = state::over;
  c.deadline_ = clock::time_point::max();
  if (--open_ == 0) emptied_ = true;
  retire_user(c);
}

/// The DEL comes first: a duplicate of the socket elsewhere would keep its entry in the epoll set
/// alive, reporting for a slot that serves somebody else (epoll(7), Questions and answers 6).
os::unique_fd connection_set::detach(leased_connection& c) {
  if (c.in_set_) ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, c.socket_.get(), nullptr);
  c.in_set_ = false;
  c.interest_ = 0;
  return std::move(c.socket_);
}

/// The user may be the caller: it is told, and destroyed, when nothing of it is on the stack.
void connection_set::retire_user(leased_connection& c) {
  if (c.burying_) return;
  c.burying_ = true;
  burials_.push_back(c.slot_);
  later_turn();
}

void connection_set::bury() {
  for (std::size_t i = 0; i < burials_.size(); ++i) { // more may be added while it runs
    auto& c = slots_[burials_[i]];
    c.burying_ = false;
    const auto user = std::move(c.user_);
    try {
      if (user) user->on_gone(c, c.gone_why_);
    } catch (...) {
      user_threw(c);
    }
    if (c.state_ == state::over) vacate(c);
  }
  burials_.clear();
}

void connection_set::vacate(leased_connection& c) {
  give_buffer(c.stored_);
  drop_output(c);
  ++c.generation_;
  c.state_ = state::vacant;
  c.input_ = nullptr;
  c.input_size_ = 0;
  c.between_ = c.yielding_ = false;
  c.more_wanted_ = true;
  c.input_ended_ = c.paused_ = c.streaming_ = c.replayable_ = c.flush_awaited_ = false;
  c.gone_why_.clear();
  vacant_.push_back(c.slot_);
}

} // namespace coppice
