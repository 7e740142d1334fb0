// one_for_all and rest_for_one: the dead child is restarted with its group. As in OTP's
// restart_multiple_children, the group is stopped in reverse order and then started in order, and
// with it come back those of its children that were down: ended well, or stopped by a call.
// Temporary children do not come back.
//
// The wait of the dead child's backoff begins with its death and goes on while the others stop; the
// group starts when both are over. What else may happen meanwhile:
//
// - A child of the group ends by itself before it is asked: that is the end that was wanted. It
//   counts as no restart, and as no significant child's end.
// - A child before the group dies (rest_for_one): that is one more restart, and the group grows.
// - A child of the group dies, or cannot start, while the group comes up: one more restart; under
//   one_for_all everything goes down again, under rest_for_one what comes from that child on.
#include <coppice/supervisors/supervision.hpp>

#include <algorithm>
#include <ranges>

namespace coppice {

void supervision::restart_group(child_key first, supervised_child& dead, monotonic_duration delay) {
  using enum child_state;
  group_ = std::min(group_.value_or(first), first);
  std::erase_if(queue_, [this](child_key key) { return key >= *group_; });
  for (supervised_child& child : children_.from(*group_)) {
    if (child.state == removed) continue;
    if (child.second) happen(*child.second, child_event::stop); // nobody depends on it yet
    const bool never_started = child.incarnation == 0;
    child.returns = child.spec.restart != restart_type::temporary || never_started;
    if (child.state == down) enter(child, waiting);
  }
  if (delay > monotonic_duration::zero())
    wait_for(dead, delay);
  else
    enter(dead, waiting);
  continue_group();
}

/// The next one to stop; or, when all are down and every wait is over, the start.
void supervision::continue_group() {
  bool any = false;
  for (supervised_child& child : children_.from(*group_) | std::views::reverse) {
    if (!stop_all_of(child)) continue;
    any = true;
    if (!spec_.parallel_start) return;
  }
  const auto waits = [](const supervised_child& child) {
    return child.state == child_state::backing_off;
  };
  if (!any && std::ranges::none_of(children_.from(*group_), waits)) start_group();
}

void supervision::start_group() {
  for (supervised_child& child : children_.from(*group_)) {
    if (child.returns && child.state == child_state::waiting) queue_.push_back(child.key);
    child.returns = false;
  }
  group_.reset();
}

/// It has ended, one way or the other.
void supervision::end_in_group(supervised_child& child) {
  if (child.returns)
    enter(child, child_state::waiting);
  else
    stay_ended(child);
  continue_group();
}

void supervision::drop_group() {
  if (!group_) return;
  for (supervised_child& child : children_.from(*group_)) child.returns = false;
  group_.reset();
}

/// Goes down with its group, or is down and waits for it.
bool supervision::in_group(const supervised_child& child) const {
  return group_ && child.key >= *group_;
}

} // namespace coppice
