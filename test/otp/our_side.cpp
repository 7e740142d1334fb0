#include "our_side.hpp"

#include "played_child.hpp"

#include <fmt/format.h>
#include <utility>

namespace coppice::otp {
namespace {

using namespace std::chrono_literals;

restart_strategy ours(strategy what) {
  switch (what) {
  case strategy::one_for_one:
  case strategy::simple_one_for_one:
    return one_for_one;
  case strategy::one_for_all:
    return one_for_all;
  case strategy::rest_for_one:
    return rest_for_one;
  }
  return one_for_one;
}

/// The parent of the top supervisor, and the one who asks.
struct root {
  caf::event_based_actor* self;
  std::shared_ptr<diary> book;

  caf::behavior make_behavior() {
    return {
        [this](const child_ready&) { book->write("up"); },
        [this](const child_ended& m) {
          if (m.ending.how == ending::start_failed)
            book->write("failed " + path_of(m.ending.reason));
          else
            book->write("over shutdown");
        },
        [this](const caf::actor& whom) {
          port::mail(self, describe{}).request(whom, 5s).then([this](const tree_node& node) {
            book->write(who_is_there(node));
          });
        },
    };
  }

  /// "mid: a: failed", however the start of a failed.
  static std::string path_of(const std::string& reason) {
    return reason.substr(0, reason.rfind(": ") + 2) + "failed";
  }
  static std::string_view state(const tree_node& child) {
    if (child.state == "down") return "undefined";
    if (child.state == "backing_off" || child.state == "waiting") return "restarting";
    return "alive";
  }
  static std::string who_is_there(const tree_node& node) {
    std::string text = node.id + ":";
    int active = 0;
    int supervisors = 0;
    for (const tree_node& child : node.children) {
      text += fmt::format(" {}={}", child.id, state(child));
      active += state(child) == "alive";
      supervisors += child.kind == "supervisor";
    }
    return text + fmt::format(" (specs {} active {} supervisors {} workers {})",
                              node.children.size(), active, supervisors,
                              static_cast<int>(node.children.size()) - supervisors);
  }
};

class player {
public:
  explicit player(const script& what) : script_{what} {
    for (const node& each : what.nodes) {
      book_->plans[each.id] = each.starts;
      if (each.is_supervisor) supervisors_.push_back(each.id);
    }
    root_ = port::spawn_state<root>(world_.system(), book_);
    world_.run();
  }
  ~player() {
    // Who is reachable by nobody else ends with its handle here, and writes that down.
    (void)std::exchange(book_->living, {});
    caf::anon_send_exit(root_, caf::exit_reason::kill);
    world_.run();
  }

  story play() {
    story all;
    start_top();
    all.push_back(finish());
    for (std::size_t i = 0; i < script_.steps.size(); ++i) {
      take(script_.steps[i]);
      if (i + 1 == script_.steps.size() || !script_.steps[i + 1].at_once)
        all.push_back(finish());
    }
    return all;
  }

private:
  supervisor_options options_of(const node& what) {
    supervisor_options options{.id = what.id};
    options.spec.strategy = ours(what.strategy);
    options.spec.intensity = {what.restarts, std::chrono::seconds{what.period}};
    options.spec.auto_shutdown = what.auto_shutdown;
    for (const node& each : script_.nodes) {
      if (each.parent != what.id) continue;
      options.children.push_back(each.is_supervisor ? nested(each) : played_child(each, book_));
    }
    return options;
  }

  startable nested(const node& what) {
    startable made = nested_supervisor(spec_of(what), options_of(what));
    made.start = [book = book_, start = made.start](const start_context& c) {
      book->write("start " + c.id);
      caf::actor started = start(c);
      keep(book, c.id, started);
      return started;
    };
    return made;
  }

  static void keep(const std::shared_ptr<diary>& book, const std::string& id,
                   const caf::actor& who) {
    book->begin(id, who);
    who->attach_functor([book, id](const caf::error&) {
      book->living.erase(id);
      book->write("end " + id);
    });
  }

  void start_top() {
    supervisor_options options = options_of(script_.nodes.front());
    options.parent = root_;
    book_->write("start " + options.id);
    const std::string id = options.id;
    keep(book_, id, spawn_supervisor(world_.system(), std::move(options)));
  }

  void take(const step& what) {
    switch (what.what) {
    case verb::die:
      return tell(what.id, die_now{what.how});
    case verb::kill:
      return tell(what.id, die_now{"killed"});
    case verb::next:
      book_->plans[what.id] = parse_starts(what.how);
      return;
    case verb::pass:
      return world_.advance(what.time);
    case verb::stop:
      if (const auto top = book_->living.find(supervisors_.front()); top != book_->living.end())
        port::anon_mail(stop_child{}).send(top->second);
      return;
    case verb::start_child:
    case verb::terminate_child:
    case verb::restart_child:
    case verb::delete_child:
    case verb::get_childspec:
    case verb::which_children:
    case verb::count_children:
    case verb::start_dynamic:
    case verb::stop_dynamic:
      return;
    }
  }

  template <class Message>
  void tell(const std::string& id, Message message) {
    const auto found = book_->living.find(id);
    if (found == book_->living.end())
      book_->write("no " + id);
    else
      port::anon_mail(std::move(message)).send(found->second);
  }

  std::vector<std::string> finish() {
    world_.run();
    for (int patience = 100; !book_->asked.empty(); --patience) {
      if (patience == 0) {
        book_->write("somebody never stops");
        break;
      }
      world_.advance(1s);
    }
    for (const std::string& each : supervisors_)
      if (const auto found = book_->living.find(each); found != book_->living.end())
        world_.deliver(root_, caf::actor{found->second});
    return std::exchange(book_->lines, {});
  }

  const script& script_;
  std::shared_ptr<diary> book_ = std::make_shared<diary>();
  std::vector<std::string> supervisors_;
  test::actor_world world_;
  caf::actor root_;
};

} // namespace

story play_ours(const script& what) { return player{what}.play(); }

} // namespace coppice::otp
