#include "support/catch.hpp"

#include "supervised_world.hpp"

#include <iostream>
#include <random>

using namespace coppice;
using namespace coppice::test;

namespace {

constexpr backoff exact{.first = std::chrono::milliseconds{100}, .jitter = 0};
const end_now crash{{ending::abnormal, "SIGSEGV", true}};

} // namespace

TEST_CASE("a nested supervisor is up when its children are, and then the next one starts") {
  supervised_world w;
  CHECK(w.start({.id = "top",
                 .children = {nested_supervisor({.id = "mid"},
                                                {.children = {w.child({.id = "a"}, manner::slow)}}),
                              w.child({.id = "z"})}}) == "start a#1");
  CHECK(w.tell("a", become_ready{}) == "start z#1; up top");
}

TEST_CASE("a stop goes through the levels in reverse order") {
  supervised_world w;
  w.start({.id = "top",
           .children = {w.child({.id = "z"}),
                        nested_supervisor({.id = "mid"}, {.children = {w.child({.id = "a"}),
                                                                       w.child({.id = "b"})}})}});
  CHECK(w.stop() == "stop b#1; stop a#1; stop z#1; ended top well: shutdown");
  CHECK(w.actors() == 0);
}

TEST_CASE("hurry goes through the levels, infinity or not") {
  supervised_world w;
  w.start({.id = "top",
           .children = {nested_supervisor(
               {.id = "mid"},
               {.children = {w.child({.id = "a", .shutdown = infinity}, manner::stubborn)}})}});
  CHECK(w.stop() == "stop a#1");
  CHECK(w.pass(1h) == "");
  CHECK(w.stop(stop_how::hurry) == "hurry a#1");
  CHECK(w.pass(2s) == "kill a#1; ended top well: shutdown");
  CHECK(w.actors() == 0);
}

TEST_CASE("a nested supervisor that gives up is restarted by its parent, children and all") {
  supervised_world w;
  w.start({.id = "top",
           .children = {
               nested_supervisor({.id = "mid", .backoff = exact},
                                 {.spec = {.intensity = {.restarts = 1}},
                                  .children = {w.child({.id = "a"}), w.child({.id = "b"})}})}});
  w.pass(2s); // mid has been up long enough to count as progress
  CHECK(w.tell("a", crash) == "start a#2");
  CHECK(w.tell("a", crash) == "stop b#1; start a#1; start b#1");
}

TEST_CASE("escalation climbs until the top gives up, too") {
  supervised_world w;
  w.start({.id = "top",
           .spec = {.intensity = {.restarts = 1}},
           .children = {
               nested_supervisor({.id = "mid", .backoff = backoff::none},
                                 {.spec = {.intensity = {.restarts = 1}},
                                  .children = {w.child({.id = "a", .backoff = backoff::none})}})}});
  int crashes = 0;
  std::string last;
  for (; w.lives("a"); ++crashes) last = w.tell("a", crash);
  CHECK(crashes == 4); // intensities multiply: (1 + 1) * (1 + 1)
  CHECK(last.starts_with("ended top abnormal: shutdown: more than 1 restarts in 30 s"));
  CHECK(w.actors() == 0);
}

TEST_CASE("a boot failure deep down comes up with the child's reason") {
  supervised_world w;
  CHECK(w.start({.id = "top",
                 .children = {w.child({.id = "z"}),
                              nested_supervisor(
                                  {.id = "mid"},
                                  {.children = {{.spec = {.id = "a"},
                                                 .start = [](const start_context&) -> caf::actor {
                                                   throw std::runtime_error{"port in use"};
                                                 }}}})}}) ==
        "start z#1; stop z#1; ended top start_failed: mid: a: port in use");
  CHECK(w.actors() == 0);
}

TEST_CASE("a degraded slot is told in the tree, and its pool serves on") {
  supervised_world w;
  w.start(
      {.id = "top",
       .children = {nested_supervisor(
           {.id = "web"},
           {.spec = {.intensity = {.restarts = 0}, .on_exceeded = degrade, .parallel_start = true},
            .children = {w.child({.id = "web/1", .backoff = exact}),
                         w.child({.id = "web/2", .backoff = exact})}})}});
  w.tell("web/1", end_now{{ending::abnormal, "exit code 9"}});
  CHECK(w.tree() == "top  supervisor  running  one_for_one\n"
                    "`- web  supervisor  up  one_for_one\n"
                    "   |- web/1  worker  backing_off  degraded\n"
                    "   `- web/2  worker  up  pid 70\n");
  CHECK(w.pass(30s) == "start web/1#2");
  CHECK(w.pass(1s) == "");
  CHECK(w.tree() == "top  supervisor  running  one_for_one\n"
                    "`- web  supervisor  up  one_for_one\n"
                    "   |- web/1  worker  up  pid 70  incarnation 2  restarts 1\n"
                    "   `- web/2  worker  up  pid 70\n");
}

TEST_CASE("a tree is described even while a supervisor in it is gone") {
  supervised_world w;
  w.start({.id = "top",
           .children = {nested_supervisor(
               {.id = "mid", .backoff = exact},
               {.spec = {.intensity = {.restarts = 0}}, .children = {w.child({.id = "a"})}})}});
  w.tell("a", crash);
  CHECK(w.tree() == "top  supervisor  running  one_for_one\n"
                    "`- mid  supervisor  backing_off\n");
}

TEST_CASE("random deaths in trees three levels deep never leave an actor behind") {
  const auto first = static_cast<std::uint64_t>(Catch::rngSeed()) * 1'000;
  std::size_t deaths = 0;
  for (std::uint64_t seed = first; seed < first + 60; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    supervised_world w;
    const auto one_of = [&](std::uint64_t n) { return random() % n; };
    const auto level = [&](auto& again, const std::string& id, int depth) -> supervisor_options {
      supervisor_options options{.id = id};
      options.spec.intensity = {static_cast<unsigned>(one_of(6)), 5s};
      options.spec.parallel_start = one_of(2) == 0;
      options.spec.on_exceeded = one_of(2) == 0 ? degrade : escalate;
      options.seed = random();
      for (std::uint64_t i = 0, n = 1 + one_of(3); i < n; ++i) {
        const std::string child = id + "." + std::to_string(i);
        if (depth > 1)
          options.children.push_back(
              nested_supervisor({.id = child}, again(again, child, depth - 1)));
        else
          options.children.push_back(
              w.child({.id = child}, one_of(5) == 0 ? manner::stubborn : manner::obedient));
      }
      return options;
    };
    w.start(level(level, "t", 3));
    for (int step = 0; step < 300 && !w.book().living.empty(); ++step) {
      auto victim = w.book().living.begin();
      std::advance(victim, static_cast<long>(one_of(w.book().living.size())));
      const std::string id = victim->first;
      if (one_of(10) == 0)
        w.tell(id, drop_dead{});
      else
        w.tell(id, end_now{{ending::abnormal, "storm", one_of(2) == 0}});
      w.pass(std::chrono::milliseconds{one_of(3'000)});
      ++deaths;
    }
    w.stop();
    w.pass(5min); // every stubborn one has been killed by then
    CHECK(w.book().living.empty());
    CHECK(w.actors() == 0);
  }
  std::cout << "trees: seeds from " << first << ", " << deaths << " deaths\n";
}
