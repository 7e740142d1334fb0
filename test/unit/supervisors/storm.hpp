#pragma once
// A random supervisor with random children, that are called and killed at random: all of it follows
// from the seed. When an invariant breaks, `shrunk` looks for the smallest part of the storm that
// still breaks one, and its text is all it takes to see it again:
//
//     COPPICE_STORM=17/0/3/250 build/release/test/supervision_test "storms*"

#include "simulation.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coppice::test {

struct storm_plan {
  /// What can be left out of a storm; a set of bits.
  enum : unsigned {
    calls = 1,
    twice = 2,
    stubborn = 4,
    never_ready = 8,
    dies_in_start = 16,
    fails_to_start = 32,
    template_of_children = 64,
    all = 127,
  };

  std::uint64_t seed = 0;
  unsigned without = 0;
  std::uint64_t children = 9;         ///< at most
  std::uint64_t length_ms = 1800'000; ///< at most: 30 minutes

  [[nodiscard]] std::string text() const;
  [[nodiscard]] static std::optional<storm_plan> parse(std::string_view text);
};

struct storm_end {
  std::string breach{}; ///< of an invariant; empty: none
  std::string final_word{};
  std::uint64_t faults = 0;
  std::uint64_t calls = 0;
};

[[nodiscard]] storm_end blow(const storm_plan& plan);
/// Of a storm that breaks an invariant.
[[nodiscard]] storm_plan shrunk(storm_plan plan);

} // namespace coppice::test
