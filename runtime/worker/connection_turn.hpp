#pragma once
// Internal. One entry into a connection_set from the loop: whatever ends inside it is buried at its
// end, when no callback is on the stack any more.

#include <coppice/runtime/worker/connection_set.hpp>

namespace coppice {

class connection_set::turn {
public:
  explicit turn(connection_set& set) noexcept : set_{set}, outermost_{!set.in_turn_} {
    set_.in_turn_ = true;
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn() {
    if (outermost_) set_.in_turn_ = false;
  }

  /// Not in the destructor: the users' on_gone may throw, and that ends the worker.
  void finish() {
    if (outermost_ && !set_.burials_.empty()) set_.bury();
    if (outermost_ && set_.emptied_) set_.tell_empty();
  }

private:
  connection_set& set_;
  bool outermost_;
};

/// Runs one callback of the user, and then what follows from it.
template <class Callback>
void connection_set::call_user(leased_connection& c, Callback callback) {
  c.dispatching_ = true;
  if (c.lease_) leases_->runs(c.lease_slot_);
  try {
    callback(*c.user_);
  } catch (...) {
    user_threw(c); // if it throws on, the worker ends, and it stays said who was running
  }
  if (leases_ != nullptr) leases_->runs_none();
  c.dispatching_ = false;
  settle(c);
}

} // namespace coppice
