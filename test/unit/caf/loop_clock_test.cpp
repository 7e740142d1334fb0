#include "support/catch.hpp"
#include "unit/caf/loop_fixture.hpp"

#include <caf/after.hpp>
#include <caf/response_promise.hpp>
#include <vector>

using namespace coppice;
using namespace coppice::test;
using namespace std::chrono_literals;

namespace {

using time_point = std::chrono::steady_clock::time_point;

struct arrivals {
  caf::event_based_actor* self;
  std::vector<std::pair<int, time_point>>& seen;
  caf::behavior make_behavior() {
    return {[this](const number& n) { seen.emplace_back(n.value, self->clock().now()); }};
  }
};

/// Answers a number with the next one, or never.
struct responder {
  caf::event_based_actor* self;
  bool answers;
  std::vector<caf::response_promise> owed{};
  caf::behavior make_behavior() {
    return {[this](const number& n) -> caf::result<number> {
      if (answers) return number{n.value + 1};
      owed.push_back(self->make_response_promise());
      return caf::delegated<number>{};
    }};
  }
};

} // namespace

TEST_CASE("delayed messages come in the order of their times, and never too early") {
  loop_fixture f;
  std::vector<std::pair<int, time_point>> seen;
  auto to = port::spawn_state<arrivals>(f.actors.system(), std::ref(seen));
  const auto start = std::chrono::steady_clock::now();
  for (int ms : {30, 10, 20, 0, 15}) port::anon_mail(number{ms}).delay(ms * 1ms).send(to);
  REQUIRE(f.run_until([&] { return seen.size() == 5; }));
  std::vector<int> order;
  for (const auto& [ms, when] : seen) {
    order.push_back(ms);
    CHECK(when >= start + ms * 1ms);
  }
  CHECK(order == std::vector{0, 10, 15, 20, 30});
}

TEST_CASE("messages that are due at one time keep their order") {
  loop_fixture f;
  std::vector<std::pair<int, time_point>> seen;
  auto to = port::spawn_state<arrivals>(f.actors.system(), std::ref(seen));
  auto from = port::spawn_state<performer>(f.actors.system());
  const auto when = f.actors.system().clock().now() + 5ms;
  f.actors.deliver(from, perform{[&](auto* self) {
                     for (int i = 0; i < 100; ++i) self->scheduled_send(to, when, number{i});
                   }});
  REQUIRE(f.run_until([&] { return seen.size() == 100; }));
  for (int i = 0; i < 100; ++i) CHECK(seen[static_cast<std::size_t>(i)].first == i);
}

TEST_CASE("a delay that is shorter than all before it is not kept waiting by them") {
  loop_fixture f;
  std::vector<std::pair<int, time_point>> seen;
  auto to = port::spawn_state<arrivals>(f.actors.system(), std::ref(seen));
  port::anon_mail(number{1}).delay(1h).send(to);
  f.run_what_is_ready();
  port::anon_mail(number{2}).delay(1ms).send(to);
  REQUIRE(f.run_until([&] { return !seen.empty(); }));
  CHECK(seen.front().first == 2);
  CHECK(f.waiting_timeouts() == 1);
}

TEST_CASE("an answer cancels the timeout of its request") {
  loop_fixture f;
  auto server = port::spawn_state<responder>(f.actors.system(), true);
  auto client = port::spawn_state<performer>(f.actors.system());
  int answer = 0;
  bool failed = false;
  f.actors.deliver(client, perform{[&](caf::event_based_actor* self) {
                     port::mail(self, number{41})
                         .request(server, 1h)
                         .then([&](const number& n) { answer = n.value; },
                               [&](const caf::error&) { failed = true; });
                     CHECK(f.waiting_timeouts() == 1);
                   }});
  f.run_what_is_ready();
  CHECK(answer == 42);
  CHECK_FALSE(failed);
  CHECK(f.waiting_timeouts() == 0);
}

TEST_CASE("a request without an answer fails when its time is over") {
  loop_fixture f;
  auto server = port::spawn_state<responder>(f.actors.system(), false);
  auto client = port::spawn_state<performer>(f.actors.system());
  const auto start = std::chrono::steady_clock::now();
  caf::error why;
  f.actors.deliver(client, perform{[&](caf::event_based_actor* self) {
                     port::mail(self, number{41})
                         .request(server, 5ms)
                         .then([](const number&) {}, [&](const caf::error& e) { why = e; });
                   }});
  REQUIRE(f.run_until([&] { return static_cast<bool>(why); }));
  CHECK(why == caf::sec::request_timeout);
  CHECK(std::chrono::steady_clock::now() >= start + 5ms);
}

TEST_CASE("the timeouts of an actor go with it") {
  loop_fixture f;
  auto server = port::spawn_state<responder>(f.actors.system(), false);
  auto client = port::spawn_state<performer>(f.actors.system());
  f.actors.deliver(client, perform{[&](caf::event_based_actor* self) {
                     port::mail(self, number{41})
                         .request(server, 1h)
                         .then([](const number&) {}, [](const caf::error&) {});
                     self->quit();
                   }});
  client = nullptr;
  f.run_what_is_ready();
  CHECK(f.actors.running() == 1);
  port::anon_mail(tick{}).delay(1ms).send(server); // which it does not know: a line in the log
  REQUIRE(f.run_until([&] { return !f.log.lines().empty(); }));
  CHECK(f.log.has("does not know the message coppice::tick"));
}

TEST_CASE("a receive timeout fires when nothing comes") {
  loop_fixture f;
  bool fired = false;
  auto a = f.actors.system().spawn([&](caf::event_based_actor* self) -> caf::behavior {
    return {[](const tick&) {}, caf::after(5ms) >>
                                    [&fired, self] {
                                      fired = true;
                                      self->quit();
                                    }};
  });
  f.actors.deliver(a, tick{});
  CHECK(f.run_until([&] { return fired; }));
}

TEST_CASE("ten thousand timers fire, each once") {
  loop_fixture f;
  std::vector<std::pair<int, time_point>> seen;
  auto to = port::spawn_state<arrivals>(f.actors.system(), std::ref(seen));
  for (int i = 0; i < 10000; ++i)
    port::anon_mail(number{i}).delay(std::chrono::microseconds{i * 7919 % 20000}).send(to);
  REQUIRE(f.run_until([&] { return seen.size() == 10000; }));
  CHECK(f.waiting_timeouts() == 0);
}
