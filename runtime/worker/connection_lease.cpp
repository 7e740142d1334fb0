// connection_set: connections under protection, whose slot says how another worker goes on.
#include <coppice/runtime/worker/connection_set.hpp>
#include <coppice/runtime/worker/connection_turn.hpp>
#include <coppice/runtime/worker/socket_flags.hpp>

#include <cerrno>
#include <sys/socket.h>

namespace coppice {

// ---- it comes, new or from another worker

result<void> connection_set::adopt(os::unique_fd socket, std::uint64_t id, std::uint32_t listener,
                                   lease_table& leases, std::uint32_t slot) {
  const auto memory = leases.slot(slot);
  if (!memory) return tl::unexpected{memory.error()};
  turn now{*this};
  leases_ = &leases;
  auto& c = vacant_slot();
  begin(c, std::move(socket), id, listener);
  c.lease_ = lease_writer::take(*memory, id);
  c.lease_slot_ = slot;
  c.came_leased_ = true;
  if (c.lease_.moved()) refresh_socket_flags(c.socket_.get());
  const auto found = c.lease_.state();
  if (found.phase == exchange_phase::closing) { // nobody's any more but ours
    c.close_how_ = close_mode::linger;
    c.state_ = state::flushing;
    c.deadline_ = clock::now() + limits::closing_stall;
    arm_sweep(c.deadline_);
    retire_user(c);
  } else {
    begin_user(c);
    if (c.state_ == state::open) show_journal(c);
    if (c.state_ == state::open && found.phase == exchange_phase::abandoned) {
      call_user(c, [&](connection_user& user) { user.on_abandoned(c, found.why); });
    } else if (c.state_ == state::open && c.input_size_ > 0) {
      call_user(c, [&](connection_user& user) { user.on_input(c); });
    }
    if (c.state_ == state::open && can_receive(c)) receive(c);
  }
  settle(c);
  now.finish();
  return {};
}

void connection_set::show_journal(leased_connection& c) noexcept {
  const auto input = c.lease_.input();
  c.input_ = input.data();
  c.input_size_ = input.size();
}

// ---- in the slot

void connection_set::receive_into_journal(leased_connection& c) {
  const auto room = c.lease_.room();
  const auto n = ::recv(c.socket_.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (n < 0) {
    show_journal(c); // making room may have moved it
    if (errno != EAGAIN && errno != EINTR) gone(c, {errno, std::system_category()});
    return;
  }
  if (n == 0) c.input_ended_ = true;
  c.lease_.received(static_cast<std::size_t>(n));
  show_journal(c);
  call_user(c, [&](connection_user& user) { user.on_input(c); });
}

/// Something was staged, and perhaps consumed. Inside a callback a little waits for more.
void connection_set::staged(leased_connection& c) {
  show_journal(c);
  const std::size_t waiting = c.unsent();
  if (c.flush_awaited_ || waiting == 0) return;
  if (!c.dispatching_ || waiting > limits::connection_staged) flush(c);
}

// ---- past the slot, and back

/// What is staged is sent from elsewhere: the stage stays as its record says.
void connection_set::expose(leased_connection& c, bool untouched) {
  if (const auto left = c.lease_.unsent(); !left.empty()) {
    take_buffer(c.output_);
    c.output_.assign(left);
    c.output_sent_ = 0;
  }
  c.lease_.expose(untouched);
}

void connection_set::try_to_cover(leased_connection& c) {
  if (!c.lease_ || !c.lease_.exposed() || c.streaming_ || c.state_ != state::open) return;
  if (!c.lease_.cover(c.input(), c.waiting_output())) return;
  c.between_ = false;
  drop_output(c);
  give_buffer(c.stored_);
  show_journal(c);
}

// ---- it goes

/// It goes on in another worker, and its peer sees nothing. The copy here is closed first.
void connection_set::yield(leased_connection& c) {
  if (c.state_ != state::open || !c.covered() || c.dispatching_) return;
  if (c.lease_.state().phase != exchange_phase::reading) return;
  detach(c).reset();
  give_lease_back(c, lease_return::alive);
  gone(c, {});
}

void connection_set::give_lease_back(leased_connection& c, lease_return how) {
  if (!c.lease_) return;
  leases_->give_back(c.lease_slot_, how, c.lease_.deepest());
  c.lease_ = {};
  if (ledger_ != nullptr && ledger_->returned_one() && on_room_) on_room_();
}

} // namespace coppice
