#include "support/actor_world.hpp"
#include "support/catch.hpp"
#include "unit/caf/loop_fixture.hpp"

#include <coppice/runtime/caf/actor_loop.hpp>
#include <memory>
#include <vector>

using namespace coppice;
using namespace coppice::test;
using namespace std::chrono_literals;

namespace {

struct metronome {
  caf::event_based_actor* self;
  std::vector<std::chrono::nanoseconds>& beats;
  std::chrono::steady_clock::time_point start = self->clock().now();

  caf::behavior make_behavior() {
    port::mail(self, tick{}).delay(10ms).send(self);
    return {[this](const tick&) {
      beats.push_back(self->clock().now() - start);
      port::mail(self, tick{}).delay(10ms).send(self);
    }};
  }
};

struct holder {
  caf::event_based_actor* self;
  std::shared_ptr<int> held;
  caf::actor me{self};
  caf::behavior make_behavior() {
    return {[](const tick&) {}};
  }
};

// ---- the sample: an actor that uses what our actors use ----

/// A task that answers, fails or is silent, and ends when its time has come.
struct task {
  caf::event_based_actor* self;
  int id;
  caf::behavior make_behavior() {
    port::mail(self, tick{}).delay(id * 10ms).send(self);
    return {
        [this](const number& n) { return number{n.value * id}; },
        [this](const tick&) {
          if (id == 2) throw std::runtime_error("task 2 gives up");
          self->quit(id == 3 ? port::failed("task 3 has failed") : caf::error{});
        },
    };
  }
};

/// Starts three tasks, asks each, watches each, and writes down what happens until all have ended.
struct foreman {
  caf::event_based_actor* self;
  std::vector<std::string>& journal;
  int left = 3;

  caf::behavior make_behavior() {
    for (int id = 1; id <= 3; ++id) {
      auto t = port::spawn_state<task>(self, id);
      port::watch(self, t, [id](std::string why) { return ended{id, std::move(why)}; });
      port::mail(self, number{7}).request(t, 1s).then([this](const number& n) {
        journal.push_back("got " + std::to_string(n.value));
      });
      port::mail(self, unknown_to_all{}).send(t);
      if (id == 3)
        port::mail(self, colour_question{})
            .request(t, 5ms)
            .then([](const tick&) {},
                  [this](const caf::error&) { journal.push_back("no colour"); });
    }
    journal.push_back("started");
    return {[this](const ended& e) {
      journal.push_back("ended " + std::to_string(e.who) + " " + e.why);
      if (--left == 0) self->quit();
    }};
  }
  using colour_question = everything;
};

} // namespace

TEST_CASE("time passes step by step in a world") {
  actor_world world;
  std::vector<std::chrono::nanoseconds> beats;
  auto m = port::spawn_state<metronome>(world.system(), std::ref(beats));
  CHECK(world.run() > 0);
  CHECK(world.waits_for_time());
  world.advance(9ms);
  CHECK(beats.empty());
  world.advance(1ms);
  CHECK(beats == std::vector<std::chrono::nanoseconds>{10ms});
  world.advance(30ms);
  CHECK(beats == std::vector<std::chrono::nanoseconds>{10ms, 20ms, 30ms, 40ms});
  const auto before = world.now();
  world.advance(1h);
  CHECK(beats.size() == 4 + 360000);
  CHECK(world.now() == before + 1h);
}

TEST_CASE("a world ends cleanly with actors alive") {
  auto held = std::make_shared<int>(0);
  caf::actor outside;
  {
    actor_world world;
    port::spawn_state<holder>(world.system(), held);
    outside = port::spawn_state<holder>(world.system(), held);
    world.run();
    port::anon_mail(tick{}).delay(1h).send(outside);
    port::spawn_state<holder>(world.system(), held); // never run
    CHECK(world.running() == 3);
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("actors that never come to rest are found out") {
  actor_world world;
  int handled = 0;
  bool enough = false;
  auto b = port::spawn_state<busy>(world.system(), std::ref(handled), std::cref(enough));
  CHECK_THROWS_WITH(world.run(), "the actors do not come to rest");
}

TEST_CASE("actors do the same in a world and on the loop") {
  std::vector<std::string> in_world;
  {
    actor_world world;
    auto boss = port::spawn_state<foreman>(world.system(), std::ref(in_world));
    world.advance(1s);
    CHECK(world.running() == 0);
  }
  std::vector<std::string> on_loop;
  {
    loop_fixture f;
    auto boss = port::spawn_state<foreman>(f.actors.system(), std::ref(on_loop));
    CHECK(f.actors.finish(10s));
  }
  CHECK(in_world == std::vector<std::string>{"started", "got 7", "got 14", "got 21", "no colour",
                                             "ended 1 ", "ended 2 task 2 gives up",
                                             "ended 3 task 3 has failed"});
  CHECK(on_loop == in_world);
}
