#include "simulation.hpp"
#include "support/catch.hpp"

#include <iostream>

using namespace coppice;
using namespace coppice::test;

namespace {

/// A random supervisor with random children. Its seed is all it takes to see it again.
struct storm {
  explicit storm(std::uint64_t seed) : random{seed} {
    spec.parallel_start = one_in(2);
    spec.max_starting = static_cast<unsigned>(1 + below(4));
    spec.strategy = one_in(3) ? one_for_all : one_in(2) ? rest_for_one : one_for_one;
    spec.on_exceeded = spec.strategy == one_for_one && one_in(2) ? degrade : escalate;
    spec.intensity = {static_cast<unsigned>(below(200)),
                      std::chrono::milliseconds{1 + below(20'000)}};
    for (std::uint64_t i = 0, n = 1 + below(9); i < n; ++i) {
      child_spec child{.id = "c" + std::to_string(i)};
      child.restart = one_in(8) ? temporary : one_in(4) ? transient : permanent;
      if (one_in(8)) child.shutdown = brutal_kill;
      if (one_in(4)) child.shutdown = std::chrono::milliseconds{1 + below(500)};
      if (one_in(4)) child.ready_timeout = std::chrono::milliseconds{1 + below(100)};
      if (one_in(4) && spec.on_exceeded == escalate) child.backoff = backoff::none;
      children.push_back(child);
    }
    world = {.start = {0ms, std::chrono::milliseconds{below(100)}},
             .life = {0ms, std::chrono::milliseconds{1 + below(20'000)}},
             .stop = {0ms, std::chrono::milliseconds{below(1'000)}},
             .fails_to_start = one_in(2) ? share(0.1) : 0,
             .never_ready = one_in(2) ? share(0.05) : 0,
             .dies_in_start = one_in(2) ? share(0.1) : 0,
             .ends_well = share(0.5),
             .useful = share(1),
             .ignores_stop = share(0.3),
             .says_it_twice = share(0.5)};
    length = std::chrono::seconds{1 + below(1800)};
    how_it_ends = below(4);
  }

  std::uint64_t below(std::uint64_t n) { return random() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  double share(double most) { return most * static_cast<double>(below(1000)) / 1000; }

  random_source random;
  supervisor_spec spec{};
  std::vector<child_spec> children{};
  habits world{};
  monotonic_duration length{};
  std::uint64_t how_it_ends = 0;
};

} // namespace

TEST_CASE("storms of random deaths, hangs and refusals break no invariant") {
  const auto first = static_cast<std::uint64_t>(Catch::rngSeed()) * 1'000'000;
  std::uint64_t faults = 0;
  std::map<std::string, int> ends;
  for (std::uint64_t seed = first; seed < first + 600; ++seed) {
    CAPTURE(seed);
    storm s{seed};
    simulation world{s.spec, s.children, s.world, seed};
    world.run_until(s.length);
    if (world.final_word().empty()) {
      if (s.how_it_ends != 0) world.stop();
      if (s.how_it_ends == 2) world.hurry(100ms);
      if (s.how_it_ends == 3 || s.how_it_ends == 0) world.kill();
      // 9 children, each at most 5 s to stop: it must be over by then.
      world.run_until(s.length + 60s);
      CHECK(world.final_word() != "");
    }
    ++ends[world.final_word()];
    faults += world.faults();
  }
  std::cout << "storms: seeds from " << first << ", " << faults << " faults;";
  for (const auto& [word, n] : ends) std::cout << ' ' << word << ' ' << n;
  std::cout << '\n';
  CHECK(faults > 100'000);
}
