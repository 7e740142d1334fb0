#include <coppice/actors/primary_actor.hpp>

namespace coppice {

using namespace std::chrono_literals;

primary_actor::primary_actor(caf::event_based_actor* self, primary_actor_parts parts)
    : self_{self},
      parts_{std::move(parts)} {}

caf::behavior primary_actor::make_behavior() {
  return {
      [this](const start_tree& m) {
        auto options = *m.root;
        options.parent = caf::actor_cast<caf::actor>(self_);
        root_ = spawn_supervisor(self_->system(), std::move(options));
      },
      [this](const child_ready&) {
        port::mail(self_, describe{})
            .request(root_, 5s)
            .then([this](const tree_node& tree) { parts_.on_up(tree); },
                  [this](const caf::error&) {
                    parts_.log->warn("the tree does not describe itself");
                  });
      },
      [this](const child_ended& m) {
        root_ = nullptr;
        parts_.on_end(m.ending);
        self_->quit();
      },
      [this](const accepting_ended&) {
        if (closing_ > 0 && --closing_ == 0) stop_root(stop_how::shutdown);
      },
      [this](const stop_tree&) { stop(); },
      [this](const ask_tree& m) { ask(m); },
  };
}

void primary_actor::ask(const ask_tree& m) {
  const auto refuse = [then = m.then](const caf::error&) {
    then(refused(call_error::shutting_down, "the tree has ended"));
  };
  if (!root_) return refuse({});
  port::mail(self_, m.call)
      .request(root_)
      .then([then = m.then](const supervisor_answer& said) { then(said.answer); }, refuse);
}

void primary_actor::stop() {
  switch (++stops_) {
  case 1:
    return close_endpoints();
  case 2:
    return stop_root(stop_how::hurry);
  default:
    return stop_root(stop_how::kill);
  }
}

// Whoever the kernel has accepted for us is given out first; a client that comes later is refused,
// not left hanging.
void primary_actor::close_endpoints() {
  for (const auto& pool : parts_.pools) pool->ending = true;
  for (const auto& pool : parts_.pools)
    for (const auto& address : pool->listeners)
      if (auto listener = caf::actor_cast<caf::actor>(address)) {
        ++closing_;
        port::mail(self_, end_accepting{caf::actor_cast<caf::actor>(self_)}).send(listener);
      }
  if (closing_ == 0) stop_root(stop_how::shutdown);
}

void primary_actor::stop_root(stop_how how) {
  closing_ = 0; // in a hurry nobody is waited for
  if (!root_) {
    parts_.on_end({.how = ending::well, .reason = "stopped before it was started"});
    self_->quit();
    return;
  }
  port::mail(self_, stop_child{how}).send(root_);
}

} // namespace coppice
