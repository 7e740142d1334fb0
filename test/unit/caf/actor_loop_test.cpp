#include "support/catch.hpp"
#include "unit/caf/loop_fixture.hpp"

#include <algorithm>
#include <asio/post.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace coppice;
using namespace coppice::test;
using namespace std::chrono_literals;

namespace {

/// Collects the ends of those it watches; starts a replacement if it is told to.
struct watcher {
  caf::event_based_actor* self;
  std::vector<ended>& ends;
  caf::behavior make_behavior() {
    return {
        [this](const ended& e) { ends.push_back(e); },
        [this](const perform& p) { p.what(self); },
    };
  }
};

/// Holds something whose life the test can see, and its own handle, which CAF never lets die.
struct holder {
  caf::event_based_actor* self;
  std::shared_ptr<int> held;
  caf::actor me{self};
  caf::behavior make_behavior() {
    return {[](const tick&) {}};
  }
};

/// As long as one ends, another starts.
struct hydra {
  caf::event_based_actor* self;
  std::shared_ptr<int> held;
  caf::behavior make_behavior() {
    grow();
    return {[this](const tick&) { grow(); }};
  }
  void grow() {
    auto head = port::spawn_state<holder>(self, held);
    port::watch(self, head, tick{});
  }
};

struct fails_to_start {
  explicit fails_to_start(caf::event_based_actor*) { throw std::runtime_error("no state today"); }
  caf::behavior make_behavior() { return {}; }
};

struct fails_to_behave {
  caf::event_based_actor* self;
  caf::behavior make_behavior() { throw std::runtime_error("no manners"); }
};

caf::actor spawn_watcher(loop_fixture& f, std::vector<ended>& ends, const caf::actor& whom) {
  auto w = port::spawn_state<watcher>(f.actors.system(), std::ref(ends));
  f.actors.deliver(
      w, perform{[whom](auto* self) {
        port::watch(self, whom, [](std::string why) { return ended{1, std::move(why)}; });
      }});
  return w;
}

} // namespace

TEST_CASE("an exception ends its actor; the watcher and the log have its text") {
  loop_fixture f;
  std::vector<ended> ends;
  auto a = port::spawn_state<performer>(f.actors.system());
  auto w = spawn_watcher(f, ends, a);
  f.actors.deliver(a, perform{[](auto*) { throw std::runtime_error("the disk is full"); }});
  f.run_what_is_ready();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].why == "the disk is full");
  CHECK(f.log.has("failed: the disk is full"));
  CHECK(f.actors.running() == 1);
}

TEST_CASE("whatever is thrown ends its actor with some text") {
  loop_fixture f;
  std::vector<ended> ends;
  auto a = port::spawn_state<performer>(f.actors.system());
  auto w = spawn_watcher(f, ends, a);
  f.actors.deliver(a, perform{[](auto*) { throw 7; }});
  f.run_what_is_ready();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].why == "an exception that is no std::exception");
}

TEST_CASE("an exception while an actor starts reaches its watcher, too") {
  loop_fixture f;
  std::vector<ended> ends;
  auto w1 = spawn_watcher(f, ends, port::spawn_state<fails_to_start>(f.actors.system()));
  auto w2 = spawn_watcher(f, ends, port::spawn_state<fails_to_behave>(f.actors.system()));
  f.run_what_is_ready();
  REQUIRE(ends.size() == 2);
  CHECK(ends[0].why == "no state today");
  CHECK(ends[1].why == "no manners");
}

TEST_CASE("finish drives the loop until the last actor has ended") {
  loop_fixture f;
  auto a = port::spawn_state<performer>(f.actors.system());
  port::anon_mail(perform{[](auto* self) { self->quit(); }}).delay(5ms).send(a);
  f.io.stop();
  CHECK(f.actors.running() == 1);
  CHECK(f.actors.finish(10s));
  CHECK(f.actors.running() == 0);
}

TEST_CASE("finish gives up at its deadline, and says how many are alive") {
  loop_fixture f;
  auto a = port::spawn_state<performer>(f.actors.system());
  CHECK_FALSE(f.actors.finish(20ms));
  CHECK(f.actors.running() == 1);
  CHECK(f.log.has("end actors: 1 are alive after 20 ms"));
}

TEST_CASE("finish waits for what another thread sends") {
  loop_fixture f;
  auto a = port::spawn_state<performer>(f.actors.system());
  f.run_what_is_ready();
  std::thread other{[&] {
    asio::post(f.io, [&] { port::anon_mail(perform{[](auto* self) { self->quit(); }}).send(a); });
  }};
  CHECK(f.actors.finish(10s));
  other.join();
}

TEST_CASE("a loop ends cleanly with actors alive, and their states are destroyed") {
  auto held = std::make_shared<int>(0);
  caf::actor outside;
  int handled = 0;
  const bool enough = false;
  {
    loop_fixture f;
    auto& system = f.actors.system();
    SECTION("idle, with their own handle") {
      for (int i = 0; i < 10; ++i) port::spawn_state<holder>(system, held);
      f.run_what_is_ready();
    }
    SECTION("never run") {
      for (int i = 0; i < 10; ++i) port::spawn_state<holder>(system, held);
    }
    SECTION("with a handle that outlives the loop") {
      outside = port::spawn_state<holder>(system, held);
      f.run_what_is_ready();
    }
    SECTION("waiting for a delayed message") {
      port::anon_mail(tick{}).delay(1h).send(port::spawn_state<holder>(system, held));
      f.run_what_is_ready();
    }
    SECTION("busy") {
      for (int i = 0; i < 100; ++i)
        port::spawn_state<busy>(system, std::ref(handled), std::cref(enough));
      f.io.poll_one();
      f.io.poll_one();
    }
    SECTION("replacing those that end") {
      for (int i = 0; i < 10; ++i) port::spawn_state<hydra>(system, held);
      f.run_what_is_ready();
    }
    SECTION("after a finish that failed") {
      port::spawn_state<holder>(system, held);
      CHECK_FALSE(f.actors.finish(5ms));
    }
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("handlers that are still queued when the actors are gone do nothing") {
  asio::io_context io{1};
  log_lines log;
  auto actors = std::make_optional<actor_loop>(io, log);
  auto a = port::spawn_state<performer>(actors->system()); // queues a round
  port::anon_mail(tick{}).send(a);
  port::anon_mail(tick{}).delay(0ns).send(a);
  port::anon_mail(tick{}).delay(1ms).send(a); // arms the timer
  std::thread other{[a = std::move(a)] {      // queues a call
    caf::anon_send(a, tick{});
    caf::delayed_anon_send(a, 1ms, tick{});
  }};
  other.join();
  actors.reset();
  CHECK(io.run_for(10s) > 0);
  CHECK(log.lines().size() <= 1); // "... are killed"
}

TEST_CASE("systems can follow each other on one loop") {
  asio::io_context io{1};
  log_lines log;
  for (int i = 0; i < 10; ++i) {
    actor_loop actors{io, log};
    auto a = port::spawn_state<performer>(actors.system());
    port::anon_mail(perform{[](auto* self) { self->quit(); }}).delay(1ms).send(a);
    CHECK(actors.finish(10s));
  }
}

TEST_CASE("a long life of many short actors does not pile up memory of the dead") {
  loop_fixture f;
  auto held = std::make_shared<int>(0);
  std::vector<caf::weak_actor_ptr> all;
  for (int i = 0; i < 5000; ++i) {
    auto a = port::spawn_state<performer>(f.actors.system(), held);
    all.push_back(caf::actor_cast<caf::weak_actor_ptr>(a));
    f.actors.deliver(a, perform{[](auto* self) { self->quit(); }});
  }
  f.run_what_is_ready();
  CHECK(held.use_count() == 1);
  CHECK(std::count_if(all.begin(), all.end(), [](const auto& weak) {
          return weak.get()->weak_refs.load() > 1; // the roster's reference beside ours
        }) <= static_cast<long>(limits::roster_sweep));
}
