#pragma once
// The clock of the actors on the loop: CAF's simple_actor_clock, which keeps the timeouts, driven
// by one asio timer, which waits for the first of them. A timeout fires in the order of the loop,
// a few rounds of busy actors after its time at most. A cancelled one leaves the timer as it is: it
// fires once for nothing, which is cheaper than a system call for each request that is answered in
// time.
//
// May be called by any thread (other threads' calls go through the handoff); constructed, closed
// and destroyed by the loop thread.

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <caf/detail/simple_actor_clock.hpp>
#include <coppice/runtime/caf/loop_handoff.hpp>
#include <cstdint>
#include <memory>

namespace coppice {

class loop_clock final : public caf::detail::simple_actor_clock {
public:
  /// `handoff` must outlive the clock's last call.
  loop_clock(asio::io_context& io, loop_handoff& handoff);
  ~loop_clock() override { close(); }

  void set_ordinary_timeout(time_point when, caf::abstract_actor* self, caf::atom_value type,
                            std::uint64_t id) override;
  void set_multi_timeout(time_point when, caf::abstract_actor* self, caf::atom_value type,
                         std::uint64_t id) override;
  void set_request_timeout(time_point when, caf::abstract_actor* self, caf::message_id id) override;
  void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override;
  void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override;
  void cancel_timeouts(caf::abstract_actor* self) override;
  void schedule_message(time_point when, caf::strong_actor_ptr receiver,
                        caf::mailbox_element_ptr content) override;
  void schedule_message(time_point when, caf::group target, caf::strong_actor_ptr sender,
                        caf::message content) override;
  void cancel_all() override;

  /// Drops all timeouts and delayed messages, and those that still come.
  void close();

private:
  using super = caf::detail::simple_actor_clock;

  template <class F>
  void on_loop(F f);
  template <class F>
  void add(F f);
  template <class F>
  void add_for(caf::abstract_actor* self, F f);
  void drop_all();
  void arm();
  void on_timer();

  loop_handoff& handoff_;
  asio::steady_timer timer_;
  const std::shared_ptr<loop_clock*> self_; // for a timer handler that outlives us
  bool armed_ = false;
  time_point due_{}; // when the timer fires, while armed
  bool closed_ = false;
};

} // namespace coppice
