#include "generate.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace coppice::otp {
namespace {

void make_sound(script& what) {
  if (!what.steps.empty()) what.steps.front().at_once = false;
}

/// Without the node, what is below it, and the steps about them.
script without_node(const script& what, std::size_t index) {
  std::set<std::string> gone{what.nodes[index].id};
  for (const node& each : what.nodes)
    if (gone.contains(each.parent)) gone.insert(each.id);
  script less = what;
  std::erase_if(less.nodes, [&](const node& each) { return gone.contains(each.id); });
  std::erase_if(less.steps, [&](const step& each) {
    return gone.contains(each.id) || gone.contains(each.supervisor);
  });
  make_sound(less);
  return less;
}

class shrinker {
public:
  shrinker(script what, const std::function<bool(const script&)>& fails)
      : best_{std::move(what)},
        fails_{fails} {}

  script shrunk() {
    for (bool better = true; better;) {
      better = false;
      for (std::size_t size = std::max<std::size_t>(best_.steps.size() / 2, 1); size > 0; size /= 2)
        better |= drop_steps(size);
      better |= drop_nodes();
      better |= simplify();
    }
    return best_;
  }

private:
  bool try_this(script candidate) {
    if (candidate == best_ || !fails_(candidate)) return false;
    best_ = std::move(candidate);
    return true;
  }

  bool drop_steps(std::size_t size) {
    bool better = false;
    for (std::size_t from = best_.steps.size(); from-- > 0;) {
      if (from + size > best_.steps.size()) continue;
      script less = best_;
      const auto first = less.steps.begin() + static_cast<std::ptrdiff_t>(from);
      less.steps.erase(first, first + static_cast<std::ptrdiff_t>(size));
      make_sound(less);
      better |= try_this(std::move(less));
    }
    return better;
  }

  bool drop_nodes() {
    bool better = false;
    for (std::size_t i = best_.nodes.size(); i-- > 1;)
      if (i < best_.nodes.size()) better |= try_this(without_node(best_, i));
    return better;
  }

  template <class Change>
  bool try_at(std::size_t index, Change change) {
    script simpler = best_;
    change(simpler.nodes[index]);
    return try_this(std::move(simpler));
  }

  bool simplify() {
    bool better = false;
    for (std::size_t i = 0; i < best_.nodes.size(); ++i) {
      better |= try_at(i, [](node& n) { n.significant = false; });
      better |= try_at(i, [](node& n) { n.significant = false, n.restart = permanent; });
      better |= try_at(i, [](node& n) { n.stop = stop_manner::obey, n.shutdown.reset(); });
      better |= try_at(i, [](node& n) { n.plain_actor = false; });
      better |= try_at(i, [](node& n) { n.starts.clear(); });
      if (!best_.nodes[i].is_supervisor) continue;
      if (best_.nodes[i].strategy != strategy::simple_one_for_one)
        better |= try_at(i, [](node& n) { n.strategy = strategy::one_for_one; });
      better |= try_at(i, [](node& n) { n.period = 5; });
      if (best_.nodes[i].restart != transient && best_.nodes[i].restarts < 5)
        better |= try_at(i, [](node& n) { n.restarts = 5; }); // generate.cpp says why
    }
    for (std::size_t i = 0; i < best_.steps.size(); ++i) {
      script simpler = best_;
      if (!simpler.steps[i].added) continue;
      simpler.steps[i].added = node{.id = simpler.steps[i].id};
      better |= try_this(std::move(simpler));
    }
    for (std::size_t i = 1; i < best_.steps.size(); ++i) {
      script simpler = best_;
      simpler.steps[i].at_once = false;
      better |= try_this(std::move(simpler));
    }
    return better;
  }

  script best_;
  const std::function<bool(const script&)>& fails_;
};

} // namespace

script shrink(script what, const std::function<bool(const script&)>& fails) {
  return shrinker{std::move(what), fails}.shrunk();
}

} // namespace coppice::otp
