#include "our_side.hpp"

#include "answers.hpp"
#include "asker.hpp"
#include "played_child.hpp"

#include <algorithm>
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

class player {
public:
  explicit player(const script& what) : script_{what} {
    for (const node& each : what.nodes) {
      book_->plans[each.id] = each.starts;
      if (each.is_supervisor) supervisors_.push_back(each.id);
    }
    root_ = port::spawn_state<asker>(world_.system(), book_);
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
      if (i + 1 == script_.steps.size() || !script_.steps[i + 1].at_once) all.push_back(finish());
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
      if (what.strategy == strategy::simple_one_for_one) {
        options.dynamic = dynamic_children{.how = played_child(each, book_)};
        options.spec.parallel_start = true; // and stop
        continue;
      }
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
      return call(what);
    }
  }

  void call(const step& what) {
    std::string about = std::string{to_string(what.what)} + " " + what.supervisor;
    if (!what.id.empty()) about += " " + what.id;
    const auto found = book_->living.find(what.supervisor);
    if (found == book_->living.end()) return book_->write(about + ": gone");
    const bool dynamic = is_dynamic(what.supervisor);
    if (what.what == verb::stop_dynamic && !book_->living.contains(what.id))
      return book_->write(about + ": not_found");
    const auto text = [about, dynamic, book = book_](const call_answer& answer) {
      return about + ": " + (answer ? in_words(*answer, dynamic, *book) : in_words(answer.error()));
    };
    port::anon_mail(question{found->second, request_of(what), text}).send(root_);
  }

  supervisor_call request_of(const step& what) {
    switch (what.what) {
    case verb::start_child: {
      startable added = played_child(*what.added, book_);
      if (!what.added->starts.empty()) book_->plans[what.id] = what.added->starts;
      return {.what = calls::start_child{.spec = std::move(added.spec)},
              .start = {std::move(added.start), added.link}};
    }
    case verb::start_dynamic:
      return {.what = calls::start_child{.args = {what.id}}};
    case verb::stop_dynamic:
      return {.what = calls::stop_child{book_->real_ids[what.id]}};
    case verb::terminate_child:
      return {.what = calls::stop_child{what.id}};
    case verb::restart_child:
      return {.what = calls::restart_child{what.id}};
    case verb::delete_child:
      return {.what = calls::delete_child{what.id}};
    case verb::get_childspec:
      return {.what = calls::get_child_spec{what.id}};
    case verb::which_children:
      return {.what = calls::which_children{}};
    default:
      return {.what = calls::count_children{}};
    }
  }

  [[nodiscard]] bool is_dynamic(const std::string& id) const {
    return std::ranges::any_of(script_.nodes, [&](const node& each) {
      return each.id == id && each.strategy == strategy::simple_one_for_one;
    });
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
      book_->write("a second passes");
      world_.advance(1s);
    }
    for (const std::string& each : supervisors_) look_at(each);
    return std::exchange(book_->lines, {});
  }

  void look_at(const std::string& supervisor) {
    const auto found = book_->living.find(supervisor);
    if (found == book_->living.end()) return;
    const caf::actor whom = found->second;
    const bool dynamic = is_dynamic(supervisor);
    world_.deliver(root_,
                   question{whom, {.what = calls::which_children{}}, [&](const auto& answer) {
                              return supervisor + ":" + who(*answer, dynamic, *book_);
                            }});
    const std::string children = std::move(book_->lines.back());
    book_->lines.pop_back();
    world_.deliver(root_,
                   question{whom, {.what = calls::count_children{}}, [&](const auto& answer) {
                              return children + " (" + in_words(*answer, dynamic, *book_) + ")";
                            }});
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
