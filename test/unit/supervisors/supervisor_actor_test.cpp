#include "support/catch.hpp"

#include "supervised_world.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

constexpr backoff exact{.first = std::chrono::milliseconds{100}, .jitter = 0};

/// A plain actor that knows nothing of supervision.
struct plain_actor {
  caf::event_based_actor* self;
  std::shared_ptr<diary> book;
  caf::behavior make_behavior() {
    book->lines.emplace_back("plain starts");
    book->living["plain"] = caf::actor_cast<caf::actor>(self);
    return {[this](drop_dead) { self->quit(); },
            [](become_ready) { throw std::runtime_error{"the exception's text"}; }};
  }
};

startable plain(diary& book, child_spec spec) {
  return {.spec = std::move(spec),
          .start =
              [kept = std::shared_ptr<diary>{&book, [](diary*) {}}](const start_context& c) {
                return port::spawn_state<plain_actor>(*c.system, kept);
              },
          .link = child_link::exit};
}

} // namespace

TEST_CASE("the supervisor starts its children in order and tells its parent") {
  supervised_world w;
  CHECK(w.start({.id = "top",
                 .children = {w.child({.id = "a"}, manner::slow), w.child({.id = "b"})}}) ==
        "start a#1");
  CHECK(w.tell("a", become_ready{}) == "start b#1; up top");
}

TEST_CASE("a child that dies is a new actor with a new incarnation") {
  supervised_world w;
  w.start({.id = "top", .children = {w.child({.id = "a", .backoff = exact})}});
  const caf::actor old = w.book().living["a"];
  CHECK(w.tell("a", end_now{{ending::abnormal, "SIGSEGV", true}}) == "start a#2");
  CHECK(w.book().living["a"] != old);
  REQUIRE(w.log().lines.size() == 1);
  CHECK(w.log().lines[0] == "a (incarnation 1, pid 70): restarted because of SIGSEGV after 0 s;"
                            " delay 0 s; 1 of 5 in 30 s");
}

TEST_CASE("backoff is waited for in virtual time") {
  supervised_world w;
  w.start({.id = "top", .children = {w.child({.id = "a", .backoff = exact})}});
  CHECK(w.tell("a", end_now{{ending::abnormal, "exit code 1"}}) == "");
  CHECK(w.pass(99ms) == "");
  CHECK(w.pass(1ms) == "start a#2");
}

TEST_CASE("a stop asks in reverse order, kills after the deadline, and leaves nobody") {
  supervised_world w;
  w.start(
      {.id = "top",
       .children = {w.child({.id = "a"}), w.child({.id = "b", .shutdown = 3s}, manner::stubborn),
                    w.child({.id = "c"})}});
  CHECK(w.stop() == "stop c#1; stop b#1");
  CHECK(w.pass(2'999ms) == "");
  CHECK(w.pass(1ms) == "kill b#1; stop a#1; ended top well: shutdown");
  CHECK(w.actors() == 0);
}

TEST_CASE("hurry and kill reach the children") {
  supervised_world w;
  w.start({.id = "top",
           .children = {w.child({.id = "a"}, manner::stubborn),
                        w.child({.id = "b"}, manner::stubborn)}});
  CHECK(w.stop() == "stop b#1");
  CHECK(w.stop(stop_how::hurry) == "hurry b#1");
  CHECK(w.stop(stop_how::kill) == "kill b#1; kill a#1; ended top well: shutdown");
  CHECK(w.actors() == 0);
}

TEST_CASE("a child that never becomes ready is killed, and the boot fails with its reason") {
  supervised_world w;
  w.start({.id = "top",
           .children = {w.child({.id = "a"}),
                        w.child({.id = "b", .ready_timeout = 5s}, manner::slow)}});
  CHECK(w.pass(5s) == "kill b#1; stop a#1; ended top start_failed: b: not ready within 5 s");
  CHECK(w.actors() == 0);
}

TEST_CASE("what start throws is the reason of a failed start") {
  supervised_world w;
  CHECK(w.start(
            {.id = "top",
             .children = {w.child({.id = "a"}),
                          {.spec = {.id = "b"}, .start = [](const start_context&) -> caf::actor {
                             throw std::runtime_error{"no such file"};
                           }}}}) == "start a#1; stop a#1; ended top start_failed: b: no such file");
}

TEST_CASE("a start that gives no actor has failed") {
  supervised_world w;
  CHECK(w.start(
            {.id = "top", .children = {{.spec = {.id = "a"}, .start = [](const start_context&) {
                                          return caf::actor{};
                                        }}}}) == "ended top start_failed: a: start gave no actor");
}

TEST_CASE("a restart that fails at once is tried again through the mailbox until it is too much") {
  supervised_world w;
  auto starts = std::make_shared<int>(0);
  startable child = w.child({.id = "a", .backoff = backoff::none});
  child.start = [starts, start = child.start](const start_context& c) {
    if (++*starts > 1) throw std::runtime_error{"gone"};
    return start(c);
  };
  w.start({.id = "top", .spec = {.intensity = {.restarts = 4}}, .children = {child}});
  CHECK(
      w.tell("a", end_now{{ending::abnormal, "x"}}).starts_with("ended top abnormal: shutdown: "));
  CHECK(*starts == 5);
}

TEST_CASE("an actor that dies without a word has died abnormally") {
  supervised_world w;
  w.start(
      {.id = "top", .children = {w.child({.id = "a", .restart = transient, .backoff = exact})}});
  CHECK(w.tell("a", drop_dead{}) == "");
  CHECK(w.pass(100ms) == "start a#2");
  CHECK(w.log().lines[0].find("ended without a word") != std::string::npos);
}

TEST_CASE("a plain actor is ready when spawned, and its exit is its end") {
  supervised_world w;
  CHECK(w.start({.id = "top",
                 .children = {plain(w.book(),
                                    {.id = "plain", .restart = transient, .backoff = exact})}}) ==
        "plain starts; up top");
  SECTION("an exception is an abnormal end with its text") {
    CHECK(w.tell("plain", become_ready{}) == "");
    CHECK(w.log().lines[0].find("the exception's text") != std::string::npos);
    CHECK(w.pass(100ms) == "plain starts");
  }
  SECTION("a normal quit is a good end") {
    CHECK(w.tell("plain", drop_dead{}) == "");
    CHECK(w.pass(1h) == "");
  }
  SECTION("it is stopped by an exit message") {
    CHECK(w.stop() == "ended top well: shutdown");
    w.book().living.clear();
    CHECK(w.actors() == 0);
  }
}

TEST_CASE("a child that retires is another actor, and the old one goes when that is ready") {
  supervised_world w;
  w.start({.id = "top", .children = {w.child({.id = "a"})}});
  const caf::actor old = w.book().living["a"];
  CHECK(w.tell("a", retire_now{{ending::well, "old age"}}) == "start a#2; stop a#1");
  CHECK(w.actors() == 2);
  REQUIRE(w.log().lines.size() == 1);
  CHECK(w.log().lines[0] == "a (incarnation 1, pid 70): is replaced because of old age after 0 s");
}

TEST_CASE("a successor that is never ready is killed and tried again, while the child serves on") {
  supervised_world w;
  const child_spec spec{.id = "a", .backoff = exact, .ready_timeout = 1s};
  startable it = w.child(spec);
  it.start = [obedient = it.start,
              slow = w.child(spec, manner::slow).start](const start_context& context) {
    const bool never_ready = context.incarnation == 2 || context.incarnation == 3;
    return never_ready ? slow(context) : obedient(context);
  };
  w.start({.id = "top", .children = {it}});
  CHECK(w.tell("a", retire_now{{ending::well, "old age"}}) == "start a#2");
  CHECK(w.pass(999ms) == "");
  CHECK(w.pass(1ms) == "kill a#2");
  CHECK(w.tree().find("a  worker  up  pid 70  restarts") != std::string::npos); // still the first
  CHECK(w.pass(99ms) == "");
  CHECK(w.pass(1ms) == "start a#3");
  CHECK(w.pass(1s) == "kill a#3");
  CHECK(w.pass(199ms) == "");
  CHECK(w.pass(1ms) == "start a#4; stop a#1");
  CHECK(w.tree().find("a  worker  up  pid 70  incarnation 4") != std::string::npos);
  CHECK(w.actors() == 2);
  const auto& lines = w.log().lines;
  REQUIRE(lines.size() == 3);
  CHECK(lines[1].find("(incarnation 2): start failed, tried again: not ready within 1 s") !=
        std::string::npos);
  CHECK(lines[2].find("(incarnation 3): start failed, tried again: not ready within 1 s") !=
        std::string::npos);
}

TEST_CASE("words of an old incarnation change nothing") {
  supervised_world w;
  w.start({.id = "top", .children = {w.child({.id = "a", .backoff = exact})}});
  w.tell("a", end_now{{ending::abnormal, "x", true}});
  w.world().deliver(w.top(), child_ended{"a", 1, {ending::abnormal, "again"}});
  w.world().deliver(w.top(), child_ready{"a", 7});
  w.world().deliver(w.top(), child_ended{"nobody", 1, {}});
  CHECK(w.book().take() == "");
  CHECK(w.lives("a"));
}

TEST_CASE("a supervisor that is killed takes its children with it") {
  supervised_world w;
  w.start({.id = "top", .children = {w.child({.id = "a"}), w.child({.id = "b"})}});
  caf::anon_send_exit(w.top(), caf::exit_reason::kill);
  w.world().run();
  CHECK(w.book().take() == "kill a#1; kill b#1");
  CHECK(w.actors() == 0);
}

TEST_CASE("ten thousand restarts leave no timers behind") {
  supervised_world w;
  w.start({.id = "top",
           .spec = {.on_exceeded = degrade, .parallel_start = true},
           .children = {w.child({.id = "a", .backoff = exact})}});
  for (int i = 0; i < 10'000; ++i) {
    w.tell("a", end_now{{ending::abnormal, "x", true}});
    REQUIRE(w.lives("a"));
  }
  CHECK(w.stop() == "stop a#10001; ended top well: shutdown");
  CHECK(w.actors() == 0);
}
