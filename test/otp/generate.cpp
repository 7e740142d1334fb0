#include "generate.hpp"

#include <array>
#include <random>
#include <utility>

namespace coppice::otp {
namespace {

/// So many restarts no script has.
constexpr unsigned patient = 100;

class generator {
public:
  explicit generator(std::uint64_t seed) : random_{seed} {}

  script make() {
    add_supervisor("", 3);
    const std::size_t steps = 3 + below(10);
    while (made_.steps.size() < steps) add_steps();
    if (chance(70)) add({.what = verb::stop});
    made_.steps.front().at_once = false;
    return std::move(made_);
  }

private:
  // The distributions of <random> differ between standard libraries.
  std::size_t below(std::size_t n) { return random_() % n; }
  bool chance(std::size_t percent) { return below(100) < percent; }
  template <class T, std::size_t N>
  T pick(const std::array<T, N>& from) {
    return from[below(N)];
  }

  // ---- the tree

  void add_supervisor(const std::string& parent, int levels) {
    node made{.id = parent.empty() ? "top" : "s" + std::to_string(++supervisors_),
              .parent = parent,
              .is_supervisor = true};
    made.strategy =
        pick(std::array{strategy::one_for_one, strategy::one_for_all, strategy::rest_for_one});
    if (chance(parent.empty() ? 8 : 30)) made.strategy = strategy::simple_one_for_one;
    made.restarts = pick(std::array{0U, 1U, 1U, 2U, 2U, 3U, 5U});
    made.period = pick(std::array{1, 2, 5, 5, 10});
    if (chance(35))
      made.auto_shutdown = pick(
          std::array{auto_shutdown_policy::any_significant, auto_shutdown_policy::all_significant});
    if (!parent.empty()) choose_restart(made);
    if (made.strategy == strategy::one_for_one && chance(25)) {
      made.restarts = patient;
      made.auto_shutdown = auto_shutdown_policy::never;
    }
    // Ours restarts a transient supervisor that has given up, on purpose: so it does not get there.
    if (made.restart == transient) made.restarts = patient;
    const node mine = made;
    made_.nodes.push_back(std::move(made));
    if (mine.strategy == strategy::simple_one_for_one)
      return made_.nodes.push_back(new_child(mine));
    for (std::size_t i = 0, n = below(8) == 0 ? 0 : 1 + below(4); i < n; ++i) {
      if (levels > 1 && chance(parent.empty() ? 35 : 20))
        add_supervisor(mine.id, levels - 1);
      else
        made_.nodes.push_back(new_child(mine));
    }
  }

  const node& node_of(const std::string& id) const {
    for (const node& each : made_.nodes)
      if (each.id == id) return each;
    return made_.nodes.front();
  }

  void choose_restart(node& made) {
    made.restart = pick(std::array{permanent, permanent, transient, temporary});
    made.significant = made.restart != permanent &&
                       node_of(made.parent).auto_shutdown != auto_shutdown_policy::never &&
                       chance(70);
  }

  node new_child(const node& parent) {
    node made{.id = std::string(1, static_cast<char>('a' + children_ % 26)), .parent = parent.id};
    if (children_++ >= 26) made.id += std::to_string(children_);
    choose_restart(made);
    choose_stop(made);
    made.plain_actor = made.stop == stop_manner::obey && chance(25);
    if (chance(4)) made.starts = starts();
    if (parent.strategy != strategy::simple_one_for_one) parents_.emplace_back(made.id, parent.id);
    return made;
  }

  /// What ends at the very moment at which it is killed may be seen in either order: that is left
  /// out. So is what never ends.
  void choose_stop(node& made) {
    if (chance(10))
      made.shutdown = brutal_kill;
    else if (chance(10))
      made.shutdown = infinity;
    else if (chance(30))
      made.shutdown = std::chrono::seconds{1 + below(4)};
    if (chance(60)) return;
    made.stop = pick(std::array{stop_manner::normal, stop_manner::crash, stop_manner::slow,
                                stop_manner::slow, stop_manner::ignore});
    if (made.shutdown == infinity && made.stop == stop_manner::ignore)
      made.stop = stop_manner::slow;
    const auto limit = shutdown_of({.shutdown = made.shutdown}).limit();
    if (made.stop == stop_manner::slow) do
        made.stop_seconds = 1 + static_cast<int>(below(6));
      while (limit == std::chrono::seconds{made.stop_seconds});
  }

  std::vector<start_outcome> starts() {
    std::vector<start_outcome> all;
    do
      all.push_back(pick(std::array{start_outcome::fail, start_outcome::fail, start_outcome::crash,
                                    start_outcome::ok}));
    while (chance(45));
    return all;
  }

  // ---- the steps

  void add(step what) { made_.steps.push_back(std::move(what)); }

  std::string some_child() {
    std::vector<std::string> all;
    for (const auto& [id, parent] : parents_) all.push_back(id);
    return all.empty() ? "a" : all[below(all.size())];
  }

  /// Who may die at the same moment: another child of the same supervisor, and under rest_for_one
  /// one that starts later. Elsewhere ours is in the middle of one restart when it sees the second
  /// death, and does not go on with what is stopped again at once, while OTP's sees nothing until
  /// it has finished the first.
  std::string companion_of(const std::string& id) {
    const std::string parent = parent_of(id);
    const bool later_only = node_of(parent).strategy == strategy::rest_for_one;
    std::vector<std::string> all;
    for (const auto& [each, its_parent] : parents_) {
      if (later_only && each == id) all.clear();
      if (its_parent == parent) all.push_back(each);
    }
    return all.empty() ? id : all[below(all.size())];
  }

  std::string parent_of(const std::string& child) const {
    for (const auto& [id, parent] : parents_)
      if (id == child) return parent;
    return "top";
  }

  std::string some_reason() {
    return pick(std::array{"crash", "crash", "crash", "normal", "shutdown", "term"});
  }

  void add_steps() {
    if (chance(35)) return add_call();
    const std::size_t kind = below(100);
    if (kind < 50) return add({.what = verb::die, .id = some_child(), .how = some_reason()});
    if (kind < 58) return add({.what = verb::kill, .id = some_child()});
    if (kind < 72) {
      const std::string victim = some_child();
      const std::string next = chance(60) ? victim : some_child();
      std::string how;
      for (const start_outcome each : starts())
        how += (how.empty() ? "" : ",") + std::string{to_string(each)};
      add({.what = verb::next, .id = next, .how = how});
      return add({.at_once = true, .what = verb::die, .id = victim, .how = "crash"});
    }
    if (kind < 85) {
      const std::string first = some_child();
      add({.what = verb::die, .id = first, .how = some_reason()});
      return add(
          {.at_once = true, .what = verb::die, .id = companion_of(first), .how = some_reason()});
    }
    add({.what = verb::pass, .time = std::chrono::seconds{1 + below(6)}});
  }

  // ---- calls

  void add_call() {
    std::vector<const node*> all;
    for (const node& each : made_.nodes)
      if (each.is_supervisor) all.push_back(&each);
    const node& whom = *all[below(all.size())];
    if (chance(10))
      return add({.what = pick(std::array{verb::which_children, verb::count_children}),
                  .supervisor = whom.id});
    whom.strategy == strategy::simple_one_for_one ? add_dynamic_call(whom) : add_static_call(whom);
  }

  void add_dynamic_call(const node& whom) {
    if (const std::string known = child_of(whom.id); !known.empty() && chance(25))
      return add({.what = verb::stop_dynamic, .supervisor = whom.id, .id = known});
    const std::string id = "x" + std::to_string(++dynamics_);
    if (chance(10)) add({.what = verb::next, .id = id, .how = "fail"});
    for (std::size_t more = below(3);; --more) {
      const std::string name = more == 0 ? id : "x" + std::to_string(++dynamics_);
      add({.what = verb::start_dynamic, .supervisor = whom.id, .id = name});
      parents_.emplace_back(name, whom.id);
      if (more == 0) return;
    }
  }

  /// About a child that there is, or was, at its supervisor; sometimes not.
  void add_static_call(const node& whom) {
    std::string id = child_of(whom.id);
    if (id.empty() || chance(8)) id = some_child();
    const verb what =
        pick(std::array{verb::terminate_child, verb::terminate_child, verb::terminate_child,
                        verb::restart_child, verb::restart_child, verb::delete_child,
                        verb::start_child, verb::start_child, verb::get_childspec});
    if (what == verb::start_child) return add_start_child(whom, id);
    // With a death at the same moment, where that holds nothing up: it stops nobody else, and the
    // start that follows works, or is given up by the call.
    const bool at_once = whom.restarts == patient && whom.strategy == strategy::one_for_one &&
                         parent_of(id) == whom.id && chance(70);
    if (at_once && what != verb::terminate_child) add({.what = verb::next, .id = id, .how = "ok"});
    if (at_once) add({.what = verb::die, .id = id, .how = some_reason()});
    add({.at_once = at_once, .what = what, .supervisor = whom.id, .id = id});
    if (what == verb::terminate_child && chance(50))
      add({.what = pick(std::array{verb::restart_child, verb::delete_child}),
           .supervisor = whom.id,
           .id = id});
  }

  void add_start_child(const node& whom, const std::string& known) {
    node added = new_child(whom);
    // Elsewhere the id is free: two children of one name could not be told apart by a step.
    if (chance(25) && parent_of(known) == whom.id) {
      parents_.pop_back();
      added.id = known;
    }
    if (chance(8)) { // refused, whatever else there is against it
      added.restart = permanent;
      added.significant = true;
    }
    added.parent.clear();
    add({.what = verb::start_child, .supervisor = whom.id, .id = added.id, .added = added});
  }

  std::string child_of(const std::string& supervisor) {
    std::vector<std::string> all;
    for (const auto& [id, parent] : parents_)
      if (parent == supervisor) all.push_back(id);
    return all.empty() ? "" : all[below(all.size())];
  }

  std::mt19937_64 random_;
  script made_;
  std::size_t supervisors_ = 0;
  std::size_t children_ = 0;
  std::size_t dynamics_ = 0;
  std::vector<std::pair<std::string, std::string>> parents_; // children and whose they are
};

} // namespace

script generate(std::uint64_t seed) { return generator{seed}.make(); }

} // namespace coppice::otp
