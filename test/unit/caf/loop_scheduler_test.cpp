#include "support/catch.hpp"
#include "unit/caf/loop_fixture.hpp"

#include <algorithm>
#include <asio/steady_timer.hpp>
#include <coppice/runtime/limits.hpp>
#include <filesystem>
#include <fstream>
#include <vector>

using namespace coppice;
using namespace coppice::test;
using namespace std::chrono_literals;

namespace {

constexpr int round_messages = static_cast<int>(limits::actor_round * limits::actor_turn);

struct recorder {
  caf::event_based_actor* self;
  std::vector<int>& seen;
  caf::behavior make_behavior() {
    return {[this](const number& n) { seen.push_back(n.value); }};
  }
};

std::vector<int> up_to(int n) {
  std::vector<int> all;
  for (int i = 0; i < n; ++i) all.push_back(i);
  return all;
}

std::size_t threads() {
  std::filesystem::directory_iterator all{"/proc/self/task"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

long voluntary_switches() {
  std::ifstream status{"/proc/thread-self/status"};
  for (std::string line; std::getline(status, line);)
    if (line.rfind("voluntary_ctxt_switches:", 0) == 0) return std::stol(line.substr(24));
  return -1;
}

} // namespace

TEST_CASE("messages from one actor to another keep their order") {
  loop_fixture f;
  std::vector<int> seen;
  auto to = port::spawn_state<recorder>(f.actors.system(), std::ref(seen));
  auto from = port::spawn_state<performer>(f.actors.system());
  f.actors.deliver(from, perform{[&](auto* self) {
                     for (int i = 0; i < 10000; ++i) port::mail(self, number{i}).send(to);
                   }});
  f.run_what_is_ready();
  CHECK(seen == up_to(10000));
}

TEST_CASE("messages from I/O handlers keep their order, delivered or sent") {
  loop_fixture f;
  std::vector<int> seen;
  auto to = port::spawn_state<recorder>(f.actors.system(), std::ref(seen));
  for (int i = 0; i < 1000; ++i) {
    if (i % 3 == 0)
      f.actors.deliver(to, number{i});
    else
      port::anon_mail(number{i}).send(to);
  }
  f.run_what_is_ready();
  CHECK(seen == up_to(1000));
}

TEST_CASE("deliver runs the actor before it returns, and leaves no handler behind") {
  loop_fixture f;
  f.run_what_is_ready();
  std::vector<int> seen;
  auto to = port::spawn_state<recorder>(f.actors.system(), std::ref(seen));
  f.run_what_is_ready();
  f.actors.deliver(to, number{1});
  CHECK(seen == std::vector{1});
  CHECK(f.io.poll() == 0);
}

TEST_CASE("run_ready runs what was sent, and nothing from inside of an actor") {
  loop_fixture f;
  std::vector<int> seen;
  auto to = port::spawn_state<recorder>(f.actors.system(), std::ref(seen));
  auto other = port::spawn_state<performer>(f.actors.system());
  f.run_what_is_ready();
  port::anon_mail(number{0}).send(to);
  f.actors.run_ready();
  CHECK(seen == up_to(1));

  std::size_t seen_inside = 0;
  f.actors.deliver(other, perform{[&](auto*) {
                     f.actors.deliver(to, number{1});
                     f.actors.run_ready();
                     seen_inside = seen.size();
                   }});
  CHECK(seen_inside == 1);
  CHECK(seen == up_to(2));
}

TEST_CASE("a round is bounded, and the loop goes on with the rest") {
  loop_fixture f;
  int handled = 0;
  bool enough = false;
  auto a = port::spawn_state<busy>(f.actors.system(), std::ref(handled), std::cref(enough));
  f.actors.run_ready();
  CHECK(handled > 0);
  CHECK(handled <= round_messages);
  const int before = handled;
  f.io.poll_one(); // the handler of the start, at most the second of the two
  f.io.poll_one();
  CHECK(handled > before);
  CHECK(handled <= before + 2 * round_messages);
  enough = true;
  f.run_what_is_ready();
}

TEST_CASE("with a backlog, an I/O handler does not run a round of its own") {
  loop_fixture f;
  int handled = 0;
  bool enough = false;
  std::vector<int> seen;
  auto to = port::spawn_state<recorder>(f.actors.system(), std::ref(seen));
  f.run_what_is_ready();
  auto a = port::spawn_state<busy>(f.actors.system(), std::ref(handled), std::cref(enough));
  f.actors.run_ready();
  const int before = handled;
  for (int i = 0; i < 100; ++i) f.actors.deliver(to, number{i});
  CHECK(handled == before);
  CHECK(seen.empty());
  CHECK(f.run_until([&] { return !seen.empty(); }));
  CHECK(handled <= before + 2 * round_messages);
  enough = true;
  f.run_what_is_ready();
  CHECK(seen == up_to(100));
}

TEST_CASE("busy actors have equal turns") {
  loop_fixture f;
  std::vector<int> handled(500);
  bool enough = false;
  for (int& each : handled)
    port::spawn_state<busy>(f.actors.system(), std::ref(each), std::cref(enough));
  for (int handlers = 0; handlers < 200; ++handlers) f.io.poll_one();
  const auto [least, most] = std::minmax_element(handled.begin(), handled.end());
  CHECK(*least > 0);
  CHECK(*most - *least <= static_cast<int>(limits::actor_turn));
  enough = true;
  f.run_what_is_ready();
}

TEST_CASE("timers of asio and of actors fire in their turn among busy actors") {
  loop_fixture f;
  constexpr int actors = 100;
  int handled = 0;
  bool enough = false;
  for (int i = 0; i < actors; ++i)
    port::spawn_state<busy>(f.actors.system(), std::ref(handled), std::cref(enough));
  auto sleeper = port::spawn_state<performer>(f.actors.system());
  asio::steady_timer timer{f.io};

  // Both are due as soon as they are armed, so what is counted is the order of the loop, not time.
  int worst_timer = 0;
  int worst_message = 0;
  for (int i = 0; i < 50; ++i) {
    bool timer_fired = false;
    bool message_came = false;
    const int armed_at = handled;
    timer.expires_after(0ns);
    timer.async_wait([&](const asio::error_code&) {
      timer_fired = true;
      worst_timer = std::max(worst_timer, handled - armed_at);
    });
    port::anon_mail(perform{[&](auto*) {
      message_came = true;
      worst_message = std::max(worst_message, handled - armed_at);
    }})
        .delay(1ns)
        .send(sleeper);
    REQUIRE(f.run_until([&] { return timer_fired && message_came; }));
  }
  CHECK(worst_timer <= 3 * round_messages);
  CHECK(worst_message <= 5 * round_messages + actors * static_cast<int>(limits::actor_turn));
  enough = true;
  f.run_what_is_ready();
}

TEST_CASE("an idle loop sleeps, however many actors there are") {
  loop_fixture f;
  std::vector<caf::actor> idle;
  for (int i = 0; i < 100; ++i) idle.push_back(port::spawn_state<performer>(f.actors.system()));
  port::anon_mail(tick{}).delay(1h).send(idle.front());
  f.run_what_is_ready();
  const auto stay = asio::make_work_guard(f.io);
  const long before = voluntary_switches();
  REQUIRE(before >= 0);
  CHECK(f.io.run_for(500ms) == 0);
  CHECK(voluntary_switches() - before <= 3); // run_for itself waits once
}

TEST_CASE("an actor system adds no thread to the process") {
  const std::size_t before = threads();
  loop_fixture f;
  auto a = port::spawn_state<performer>(f.actors.system());
  port::anon_mail(tick{}).delay(1ms).send(a);
  f.actors.deliver(a, perform{[](auto* self) { caf::aout(self) << "a line" << std::endl; }});
  f.run_what_is_ready();
  CHECK(threads() == before);
  CHECK(f.log.has("a line"));
}
