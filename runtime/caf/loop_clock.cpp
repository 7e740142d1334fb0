#include <coppice/runtime/caf/loop_clock.hpp>

#include <caf/abstract_actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/group.hpp>
#include <utility>

namespace coppice {

loop_clock::loop_clock(asio::io_context& io, loop_handoff& handoff)
    : handoff_{handoff},
      timer_{io},
      self_{std::make_shared<loop_clock*>(this)} {}

template <class F>
void loop_clock::on_loop(F f) {
  if (handoff_.here())
    f();
  else
    handoff_.call(std::move(f));
}

/// A new timeout or delayed message.
template <class F>
void loop_clock::add(F f) {
  on_loop([this, f = std::move(f)]() mutable {
    if (closed_) return;
    f();
    arm();
  });
}

/// The same for a timeout of `self`, which is kept alive on its way from another thread.
template <class F>
void loop_clock::add_for(caf::abstract_actor* self, F f) {
  if (handoff_.here())
    add(std::move(f));
  else
    add([f = std::move(f), keep = caf::actor_cast<caf::strong_actor_ptr>(self)] { f(); });
}

void loop_clock::set_ordinary_timeout(time_point when, caf::abstract_actor* self,
                                      caf::atom_value type, std::uint64_t id) {
  add_for(self, [=, this] { super::set_ordinary_timeout(when, self, type, id); });
}

void loop_clock::set_multi_timeout(time_point when, caf::abstract_actor* self, caf::atom_value type,
                                   std::uint64_t id) {
  add_for(self, [=, this] { super::set_multi_timeout(when, self, type, id); });
}

void loop_clock::set_request_timeout(time_point when, caf::abstract_actor* self,
                                     caf::message_id id) {
  add_for(self, [=, this] { super::set_request_timeout(when, self, id); });
}

// Cancellations come out of destructors, too, where `self` has no references left: they hold its
// number, never the actor.

void loop_clock::cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) {
  on_loop([this, event = ordinary_timeout_cancellation{self->id(), type}] { handle(event); });
}

void loop_clock::cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) {
  on_loop([this, event = request_timeout_cancellation{self->id(), id}] { handle(event); });
}

void loop_clock::cancel_timeouts(caf::abstract_actor* self) {
  on_loop([this, event = timeouts_cancellation{self->id()}] { handle(event); });
}

void loop_clock::schedule_message(time_point when, caf::strong_actor_ptr receiver,
                                  caf::mailbox_element_ptr content) {
  add([this, when, receiver = std::move(receiver), content = std::move(content)]() mutable {
    super::schedule_message(when, std::move(receiver), std::move(content));
  });
}

void loop_clock::schedule_message(time_point when, caf::group target, caf::strong_actor_ptr sender,
                                  caf::message content) {
  add([this, when, target = std::move(target), sender = std::move(sender),
       content = std::move(content)]() mutable {
    super::schedule_message(when, std::move(target), std::move(sender), std::move(content));
  });
}

void loop_clock::cancel_all() {
  on_loop([this] { drop_all(); });
}

// Actors that only their delayed messages kept alive die here, and cancel their timeouts: they must
// find empty tables, not tables half cleared.
void loop_clock::drop_all() {
  actor_lookup_.clear();
  const schedule_map dropped = std::exchange(schedule_, {});
}

void loop_clock::close() {
  closed_ = true;
  *self_ = nullptr;
  timer_.cancel();
  drop_all();
}

void loop_clock::arm() {
  if (schedule_.empty()) return;
  const time_point first = schedule_.begin()->first;
  if (armed_ && due_ <= first) return;
  armed_ = true;
  due_ = first;
  timer_.expires_at(first);
  timer_.async_wait([self = self_](const asio::error_code& ec) {
    if (ec || *self == nullptr) return; // armed anew, or closed
    (*self)->on_timer();
  });
}

void loop_clock::on_timer() {
  armed_ = false;
  trigger_expired_timeouts();
  arm();
}

} // namespace coppice
