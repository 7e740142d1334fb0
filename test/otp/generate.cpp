#include "generate.hpp"

#include <array>
#include <random>

namespace coppice::otp {
namespace {

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
    made.restarts = pick(std::array{0U, 1U, 1U, 2U, 2U, 3U, 5U});
    made.period = pick(std::array{1, 2, 5, 5, 10});
    if (chance(35))
      made.auto_shutdown = pick(std::array{auto_shutdown_policy::any_significant,
                                           auto_shutdown_policy::all_significant});
    if (!parent.empty()) choose_restart(made);
    // Ours restarts a transient supervisor that has given up, on purpose: so it does not get there.
    if (made.restart == transient) made.restarts = 100;
    const node mine = made;
    made_.nodes.push_back(std::move(made));
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
    node made{.id = std::string{1, static_cast<char>('a' + children_ % 26)}, .parent = parent.id};
    if (children_++ >= 26) made.id += std::to_string(children_);
    choose_restart(made);
    choose_stop(made);
    made.plain_actor = made.stop == stop_manner::obey && chance(25);
    if (chance(4)) made.starts = starts();
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
    if (made.stop == stop_manner::slow)
      do made.stop_seconds = 1 + static_cast<int>(below(6));
      while (limit == std::chrono::seconds{made.stop_seconds});
  }

  std::vector<start_outcome> starts() {
    std::vector<start_outcome> all;
    do
      all.push_back(pick(std::array{start_outcome::fail, start_outcome::fail,
                                    start_outcome::crash, start_outcome::ok}));
    while (chance(45));
    return all;
  }

  // ---- the steps

  void add(step what) { made_.steps.push_back(std::move(what)); }

  std::string some_child() {
    std::vector<std::string> all;
    for (const node& each : made_.nodes)
      if (!each.is_supervisor) all.push_back(each.id);
    return all.empty() ? "a" : all[below(all.size())];
  }

  /// Who may die at the same moment: another child of the same supervisor, and under rest_for_one
  /// one that starts later. Elsewhere ours is in the middle of one restart when it sees the second
  /// death, and does not go on with what is stopped again at once, while OTP's sees nothing until
  /// it has finished the first.
  std::string companion_of(const std::string& id) {
    const node& first = node_of(id);
    const bool later_only = node_of(first.parent).strategy == strategy::rest_for_one;
    std::vector<std::string> all;
    for (const node& each : made_.nodes) {
      if (later_only && each.id == id) all.clear();
      if (!each.is_supervisor && each.parent == first.parent) all.push_back(each.id);
    }
    return all.empty() ? id : all[below(all.size())];
  }

  std::string some_reason() {
    return pick(std::array{"crash", "crash", "crash", "normal", "shutdown", "term"});
  }

  void add_steps() {
    const std::size_t kind = below(100);
    if (kind < 50) return add({.what = verb::die, .id = some_child(), .how = some_reason()});
    if (kind < 58) return add({.what = verb::kill, .id = some_child()});
    if (kind < 72) {
      const std::string victim = some_child();
      const std::string next = chance(60) ? victim : some_child();
      std::string how;
      for (const start_outcome each : starts()) how += (how.empty() ? "" : ",") + std::string{to_string(each)};
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

  std::mt19937_64 random_;
  script made_;
  std::size_t supervisors_ = 0;
  std::size_t children_ = 0;
};

} // namespace

script generate(std::uint64_t seed) { return generator{seed}.make(); }

} // namespace coppice::otp
