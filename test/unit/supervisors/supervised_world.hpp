#pragma once
// Children for the supervisor actor, in virtual time: each incarnation is an actor that writes down
// what happens to it in one shared diary, and does what the test tells it to.

#include "support/actor_world.hpp"

#include <coppice/supervisors/supervisor.hpp>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace coppice::test {

using namespace std::chrono_literals;

/// Keeps lines.
class kept_log : public logger {
public:
  kept_log() : logger{log_level::info} {}
  std::vector<std::string> lines;

protected:
  void write(log_level, std::string_view line) noexcept override { lines.emplace_back(line); }
};

struct diary {
  std::vector<std::string> lines;
  std::map<std::string, caf::actor> living; // by child id
  /// Everything since the last call, joined by "; ".
  std::string take() {
    std::string all;
    for (const std::string& each : lines) all += (all.empty() ? "" : "; ") + each;
    lines.clear();
    return all;
  }
};

/// To a test child.
struct become_ready {};
struct end_now {
  coppice::ending how{};
};
struct drop_dead {}; // quits without a word
struct retire_now {
  coppice::ending how{};
};

/// Whether it becomes ready by itself and ends when asked to.
enum class manner { obedient, slow, stubborn };

struct test_child {
  caf::event_based_actor* self;
  start_context context;
  std::shared_ptr<diary> book;
  manner how;

  caf::behavior make_behavior() {
    write("start");
    book->living[context.id] = caf::actor_cast<caf::actor>(self);
    if (how != manner::slow) say_ready();
    return {
        [this](const stop_child& m) {
          write(m.how == stop_how::kill ? "kill" : m.how == stop_how::hurry ? "hurry" : "stop");
          if (m.how == stop_how::kill || how == manner::obedient)
            end({m.how == stop_how::kill ? ending::abnormal : ending::well, "asked"});
        },
        [this](become_ready) { say_ready(); },
        [this](const end_now& m) { end(m.how); },
        [this](const retire_now& m) {
          port::mail(self, child_retires{context.id, context.incarnation, m.how})
              .send(context.supervisor);
        },
        [this](drop_dead) {
          book->living.erase(context.id);
          self->quit();
        },
    };
  }
  void say_ready() {
    port::mail(self, child_ready{context.id, context.incarnation, 70}).send(context.supervisor);
  }
  void end(ending with) {
    book->living.erase(context.id);
    port::mail(self, child_ended{context.id, context.incarnation, std::move(with)})
        .send(context.supervisor);
    self->quit();
  }
  void write(const char* what) {
    book->lines.push_back(std::string{what} + " " + context.id + "#" +
                          std::to_string(context.incarnation));
  }
};

/// To the parent: ask this of the supervisor.
struct ask_for {
  caf::actor whom;
  supervisor_call call;
};

/// The parent of the top supervisor, or of any.
struct test_parent {
  caf::event_based_actor* self;
  std::shared_ptr<diary> book;
  std::shared_ptr<tree_node> tree;
  std::shared_ptr<std::vector<call_answer>> answers;

  caf::behavior make_behavior() {
    return {
        [this](const child_ready& m) { book->lines.push_back("up " + m.id); },
        [this](const child_ended& m) {
          book->lines.push_back("ended " + m.id + " " + std::string{to_string(m.ending.how)} +
                                ": " + m.ending.reason);
        },
        [this](const ask_for& m) {
          port::mail(self, m.call)
              .request(m.whom)
              .then([this](const supervisor_answer& said) { answers->push_back(said.answer); },
                    [this](const caf::error&) {
                      answers->push_back(refused(call_error::shutting_down, "gone"));
                    });
        },
        [this](const caf::actor& whom) {
          port::mail(self, describe{}).request(whom, 5s).then([this](const tree_node& node) {
            *tree = node;
          });
        },
    };
  }
};

class supervised_world {
public:
  supervised_world() {
    parent_ = port::spawn_state<test_parent>(world_.system(), book_, tree_, answers_);
    world_.run();
  }
  ~supervised_world() {
    book_->living.clear();
    caf::anon_send_exit(parent_, caf::exit_reason::kill);
    world_.run();
  }

  [[nodiscard]] startable child(child_spec spec, manner how = manner::obedient) {
    return {.spec = std::move(spec), .start = [book = book_, how](const start_context& c) {
              return port::spawn_state<test_child>(*c.system, c, book, how);
            }};
  }
  /// Starts the top supervisor, runs, and tells what happened.
  std::string start(supervisor_options options) {
    options.log = &log_;
    options.parent = parent_;
    top_ = spawn_supervisor(world_.system(), std::move(options));
    world_.run();
    return book_->take();
  }
  template <class Message>
  std::string tell(const std::string& id, Message message) {
    const auto found = book_->living.find(id);
    if (found == book_->living.end()) throw std::invalid_argument{id + " is not alive"};
    const caf::actor whom = found->second;
    world_.deliver(whom, message);
    return book_->take();
  }
  [[nodiscard]] child_maker maker(manner how = manner::obedient) const {
    return {[book = book_, how](const start_context& c) {
      return port::spawn_state<test_child>(*c.system, c, book, how);
    }};
  }
  /// A call to the top supervisor; the answer may come later.
  void send(supervisor_call call) { world_.deliver(parent_, ask_for{top_, std::move(call)}); }
  /// The same, with an answer at once.
  call_answer ask(supervisor_call call) {
    const std::size_t before = answers_->size();
    send(std::move(call));
    if (answers_->size() != before + 1) throw std::logic_error{"no answer"};
    return answers_->back();
  }
  [[nodiscard]] std::size_t answers() const { return answers_->size(); }
  [[nodiscard]] const call_answer& last_answer() const { return answers_->back(); }
  void kill_top() {
    caf::anon_send_exit(top_, caf::exit_reason::kill);
    world_.run();
  }
  std::string stop(stop_how how = stop_how::shutdown) {
    world_.deliver(top_, stop_child{how});
    return book_->take();
  }
  std::string pass(std::chrono::nanoseconds time) {
    world_.advance(time);
    return book_->take();
  }
  std::string tree() {
    *tree_ = {};
    world_.deliver(parent_, top_);
    return to_text(*tree_);
  }
  [[nodiscard]] bool lives(const std::string& id) const { return book_->living.contains(id); }
  [[nodiscard]] std::size_t actors() { return world_.running() - 1; } // without the parent
  [[nodiscard]] const kept_log& log() const { return log_; }
  [[nodiscard]] actor_world& world() { return world_; }
  [[nodiscard]] const caf::actor& top() const { return top_; }
  [[nodiscard]] diary& book() { return *book_; }

private:
  std::shared_ptr<diary> book_ = std::make_shared<diary>();
  std::shared_ptr<tree_node> tree_ = std::make_shared<tree_node>();
  std::shared_ptr<std::vector<call_answer>> answers_ = std::make_shared<std::vector<call_answer>>();
  kept_log log_;
  actor_world world_;
  caf::actor parent_;
  caf::actor top_;
};

} // namespace coppice::test

COPPICE_MESSAGES_BEGIN(supervisor_tests, 1100)
COPPICE_LOCAL_MESSAGE(supervisor_tests, coppice::test::become_ready)
COPPICE_LOCAL_MESSAGE(supervisor_tests, coppice::test::end_now)
COPPICE_LOCAL_MESSAGE(supervisor_tests, coppice::test::drop_dead)
COPPICE_LOCAL_MESSAGE(supervisor_tests, coppice::test::ask_for)
COPPICE_LOCAL_MESSAGE(supervisor_tests, coppice::test::retire_now)
COPPICE_MESSAGES_END(supervisor_tests)
