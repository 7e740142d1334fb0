#include <coppice/runtime/caf/actor_roster.hpp>

#include <algorithm>
#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <utility>

namespace coppice {
namespace {

bool ended(const caf::strong_actor_ptr& actor) {
  return !actor || actor->get()->getf(caf::abstract_actor::is_cleaned_up_flag);
}

} // namespace

std::size_t actor_roster::kill_all() {
  std::size_t killed = 0;
  for (const caf::weak_actor_ptr& each : std::exchange(known_, {})) {
    auto actor = caf::actor_cast<caf::strong_actor_ptr>(each);
    if (ended(actor)) continue;
    ++killed;
    caf::anon_send_exit(actor, caf::exit_reason::kill);
  }
  return killed;
}

void actor_roster::sweep() {
  std::erase_if(known_, [](const caf::weak_actor_ptr& each) {
    return ended(caf::actor_cast<caf::strong_actor_ptr>(each));
  });
  next_sweep_ = std::max(limits::roster_sweep, 2 * known_.size());
}

} // namespace coppice
