// Actors in virtual time: random trees, three levels deep, of all strategies and of dynamic
// supervisors, for half an hour of random deaths, hangs, slow starts and calls.
#include "support/catch.hpp"
#include "support/sanitized.hpp"

#include "supervised_world.hpp"

#include <cstdlib>
#include <iostream>
#include <random>
#include <set>

using namespace coppice;
using namespace coppice::test;

namespace coppice::test {
struct my_time_has_come {};
} // namespace coppice::test

COPPICE_MESSAGES_BEGIN(supervisor_storms, 1120)
COPPICE_LOCAL_MESSAGE(supervisor_storms, coppice::test::my_time_has_come)
COPPICE_MESSAGES_END(supervisor_storms)

namespace {

/// What all children of one world share.
struct weather {
  std::mt19937_64 random;
  std::multiset<std::string> alive; ///< by child id: there must never be two of one
  std::size_t deaths = 0;
  std::string breach;

  std::uint64_t below(std::uint64_t n) { return random() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
};

/// A child that does as it likes: slow to be ready, or never; dies when it likes; may not stop.
struct moody_child {
  caf::event_based_actor* self;
  start_context context;
  std::shared_ptr<weather> sky;
  bool ready = false;
  bool stubborn = false;

  moody_child(caf::event_based_actor* s, start_context c, std::shared_ptr<weather> w)
      : self{s},
        context{std::move(c)},
        sky{std::move(w)} {}

  caf::behavior make_behavior() {
    if (sky->alive.contains(context.id)) sky->breach = "two incarnations of " + context.id;
    sky->alive.insert(context.id);
    stubborn = sky->one_in(10);
    if (!sky->one_in(200)) later(std::chrono::milliseconds{sky->below(2'000)}); // else it hangs
    return {
        [this](my_time_has_come) {
          if (!ready) {
            ready = true;
            port::mail(self, child_ready{context.id, context.incarnation, 70})
                .send(context.supervisor);
            return later(std::chrono::milliseconds{sky->below(60'000)});
          }
          ++sky->deaths;
          if (sky->one_in(10)) return leave(); // without a word
          end({sky->one_in(3) ? ending::well : ending::abnormal, "storm", sky->one_in(2)});
        },
        [this](const stop_child& m) {
          if (m.how == stop_how::kill || !stubborn) end({ending::well, "asked"});
        },
    };
  }
  void later(std::chrono::milliseconds time) {
    port::mail(self, my_time_has_come{}).delay(time).send(caf::actor_cast<caf::actor>(self));
  }
  void end(ending how) {
    port::mail(self, child_ended{context.id, context.incarnation, std::move(how)})
        .send(context.supervisor);
    leave();
  }
  void leave() {
    sky->alive.erase(sky->alive.find(context.id));
    self->quit();
  }
};

class random_tree {
public:
  explicit random_tree(std::uint64_t seed) : sky{std::make_shared<weather>()} {
    sky->random.seed(seed);
  }

  std::shared_ptr<weather> sky;
  std::vector<std::vector<std::string>> paths; ///< of all supervisors

  supervisor_options level(const std::string& id, std::vector<std::string> path, int depth) {
    paths.push_back(path);
    supervisor_options options{.id = id};
    options.spec.strategy = sky->one_in(3)   ? one_for_all
                            : sky->one_in(2) ? rest_for_one
                                             : one_for_one;
    options.spec.intensity = {static_cast<unsigned>(3 + sky->below(20)), 5s};
    options.spec.parallel_start = sky->one_in(3);
    if (options.spec.strategy == one_for_one && sky->one_in(2)) options.spec.on_exceeded = degrade;
    options.seed = sky->random();
    if (depth == 1 && options.spec.strategy == one_for_one && sky->one_in(2)) {
      options.spec.parallel_start = true;
      options.dynamic = dynamic_children{leaf(id), static_cast<unsigned>(sky->below(4)), 6};
      return options;
    }
    for (std::uint64_t i = 0, n = 1 + sky->below(3); i < n; ++i) {
      const std::string child = id + "." + std::to_string(i);
      path.push_back(child);
      if (depth > 1 && !sky->one_in(4))
        options.children.push_back(nested_supervisor({.id = child}, level(child, path, depth - 1)));
      else
        options.children.push_back(leaf(child));
      path.pop_back();
    }
    return options;
  }

  supervisor_call random_call() {
    supervisor_call call{.path = paths[sky->below(paths.size())]};
    std::string id = call.path.empty() ? "t" : call.path.back();
    id += (sky->one_in(2) ? "." : "/") + std::to_string(sky->below(4));
    switch (sky->below(8)) {
    case 0:
      call.what = calls::which_children{};
      break;
    case 1:
      call.what = calls::count_children{};
      break;
    case 2:
      call.what = calls::delete_child{id};
      break;
    case 3:
      call.what = calls::scale{static_cast<unsigned>(sky->below(6))};
      break;
    case 4:
      call.what = calls::start_child{};
      break;
    case 5: {
      const startable added = leaf(id);
      call.what = calls::start_child{.spec = added.spec};
      call.start = {added.start};
      break;
    }
    case 6:
      call.what = calls::stop_child{id};
      break;
    default:
      call.what = calls::restart_child{id};
    }
    return call;
  }

private:
  startable leaf(std::string id) {
    child_spec spec{.id = std::move(id)};
    spec.restart = sky->one_in(8) ? temporary : sky->one_in(4) ? transient : permanent;
    spec.shutdown = std::chrono::milliseconds{1 + sky->below(5'000)};
    spec.ready_timeout = 5s;
    return {.spec = std::move(spec), .start = [sky = sky](const start_context& c) {
              if (sky->one_in(100)) throw std::runtime_error{"no luck"};
              return port::spawn_state<moody_child>(*c.system, c, sky);
            }};
  }
};

} // namespace

TEST_CASE("half an hour of storms in random trees leaves nobody behind and nobody without answer") {
  const char* again = std::getenv("COPPICE_TREE_STORM");
  const auto first = again ? std::strtoull(again, nullptr, 10)
                           : static_cast<std::uint64_t>(Catch::rngSeed()) * 1'000;
  const std::uint64_t seeds = again ? 1 : sanitized ? 10 : 1'000;
  std::size_t deaths = 0;
  std::size_t asked_all = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    INFO("again: COPPICE_TREE_STORM=" << seed << " supervisor_actor_test 'half an hour*'");
    supervised_world w;
    random_tree tree{seed};
    weather& sky = *tree.sky;
    w.start(tree.level("t", {}, 3));
    std::size_t asked = 0;
    for (auto time = 0ms; time < 30min && w.world().running() > 1; time += 10s) {
      w.pass(10s);
      if (sky.one_in(3)) {
        w.send(tree.random_call());
        ++asked;
      }
    }
    w.stop();
    w.pass(5min); // whoever is stubborn has been killed by then
    REQUIRE(sky.breach == "");
    REQUIRE(sky.alive.empty());
    REQUIRE(w.actors() == 0);
    REQUIRE(w.answers() == asked);
    deaths += sky.deaths;
    asked_all += asked;
  }
  std::cout << "tree storms: seeds from " << first << ", " << deaths << " deaths, " << asked_all
            << " calls\n";
}
