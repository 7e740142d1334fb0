// How a supervisor describes itself: from what it knows, and from what the supervisors below say.
#include <coppice/supervisors/supervisor_actor.hpp>

#include <coppice/runtime/limits.hpp>

#include <utility>

namespace coppice {
namespace {

/// The answer, until the last nested supervisor has given its part.
struct unfinished_tree {
  tree_node root{};
  std::size_t missing = 0;
  caf::response_promise promise{};

  void finish_if_complete() {
    if (missing == 0) promise.deliver(root);
  }
};

} // namespace

tree_node supervisor_actor::describe_self() const {
  return {.id = options_.id,
          .kind = "supervisor",
          .state = std::string{to_string(core_.state())},
          .strategy = std::string{to_string(options_.spec.strategy)},
          .incarnation = options_.incarnation};
}

std::string supervisor_actor::kind_of(const supervised_child& child) const {
  const child_maker& how = *children_.at(child.key).how;
  if (!how.kind.empty()) return how.kind;
  return how.link == child_link::exit ? "actor" : std::string{to_string(child.spec.type)};
}

tree_node supervisor_actor::describe_child(const supervised_child& child) const {
  return {.id = child.spec.id,
          .kind = kind_of(child),
          .state = std::string{to_string(child.state)},
          .incarnation = child.incarnation,
          .restarts = child.restarts(),
          .pid = is_alive(child.state) ? child.pid : 0,
          .degraded = child.degraded};
}

caf::response_promise supervisor_actor::on_describe() {
  auto tree = std::make_shared<unfinished_tree>();
  tree->promise = self_->make_response_promise();
  tree->root = describe_self();
  for (const supervised_child& child : core_.children()) {
    const std::size_t place = tree->root.children.size();
    tree->root.children.push_back(describe_child(child));
    const caf::actor actor = children_.at(child.key).actor(child.incarnation);
    if (child.spec.type != child_type::supervisor || !actor) continue;
    ++tree->missing;
    port::mail(self_, describe{})
        .request(actor, limits::describe_wait)
        .then(
            [tree, place](tree_node& below) {
              tree_node& node = tree->root.children[place];
              node.strategy = std::move(below.strategy);
              node.children = std::move(below.children);
              --tree->missing;
              tree->finish_if_complete();
            },
            [tree](const caf::error&) { // it is ending: it stays the leaf that it is from here
              --tree->missing;
              tree->finish_if_complete();
            });
  }
  tree->finish_if_complete();
  return tree->promise;
}

} // namespace coppice
