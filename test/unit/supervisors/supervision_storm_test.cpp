#include "storm.hpp"
#include "support/catch.hpp"
#include "support/sanitized.hpp"

#include <cstdlib>
#include <iostream>
#include <map>

using namespace coppice;
using namespace coppice::test;

TEST_CASE("storms of random deaths, hangs, refusals and calls break no invariant") {
  if (const char* again = std::getenv("COPPICE_STORM")) {
    const auto plan = storm_plan::parse(again);
    REQUIRE(plan);
    CHECK(blow(*plan).breach == "");
    return;
  }
  const std::uint64_t wanted = sanitized ? 30'000 : 1'000'000;
  const auto first = static_cast<std::uint64_t>(Catch::rngSeed()) * 1'000'000;
  std::uint64_t seed = first;
  std::uint64_t faults = 0;
  std::uint64_t asked = 0;
  std::map<std::string, int> ends;
  for (; faults < wanted; ++seed) {
    const storm_end end = blow({.seed = seed});
    if (!end.breach.empty()) {
      const storm_plan small = shrunk({.seed = seed});
      FAIL(blow(small).breach << "\nagain: COPPICE_STORM=" << small.text()
                              << " supervision_test 'storms*'");
    }
    ++ends[end.final_word];
    faults += end.faults;
    asked += end.calls;
  }
  std::cout << "storms: seeds " << first << " to " << seed - 1 << ", " << faults << " faults, "
            << asked << " calls;";
  for (const auto& [word, n] : ends) std::cout << ' ' << word << ' ' << n;
  std::cout << '\n';
}

TEST_CASE("the text of a storm is the storm") {
  const storm_plan plan{.seed = 17, .without = 3, .children = 2, .length_ms = 250};
  CHECK(storm_plan::parse(plan.text())->text() == "17/3/2/250");
  CHECK_FALSE(storm_plan::parse("17"));
}
