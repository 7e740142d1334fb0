#include "support/catch.hpp"

#include <coppice/actors/dispatch_table.hpp>
#include <map>
#include <random>

using namespace coppice;

TEST_CASE("nobody is picked while nobody is ready") {
  dispatch_table table;
  CHECK_FALSE(table.pick());
  CHECK(table.credit() == 0);
}

TEST_CASE("workers get their turns in the order of their slots, whoever came first") {
  dispatch_table table;
  table.add({3, 1}, 9);
  table.add({1, 1}, 9);
  table.add({2, 1}, 9);
  std::vector<std::uint64_t> turns;
  for (int i = 0; i < 6; ++i) turns.push_back(table.pick()->slot);
  CHECK(turns == std::vector<std::uint64_t>{1, 2, 3, 1, 2, 3});
}

TEST_CASE("a worker without credit is passed over until it has taken something") {
  dispatch_table table;
  table.add({1, 1}, 1);
  table.add({2, 1}, 3);
  CHECK(table.pick()->slot == 1);
  CHECK(table.pick()->slot == 2);
  CHECK(table.pick()->slot == 2);
  table.restore({1, 1}, 1);
  CHECK(table.pick()->slot == 1);
  CHECK(table.pick()->slot == 2);
  CHECK_FALSE(table.pick());
}

TEST_CASE("news of an incarnation that is gone changes nothing") {
  dispatch_table table;
  table.add({1, 1}, 2);
  CHECK(table.remove({1, 1}));
  table.add({1, 2}, 2);
  table.restore({1, 1}, 50);
  CHECK_FALSE(table.remove({1, 1}));
  CHECK(table.credit() == 2);
  CHECK(*table.pick() == worker_key{1, 2});
}

TEST_CASE("adding the same incarnation again replaces what was known of it") {
  dispatch_table table;
  table.add({1, 1}, 2);
  table.add({1, 1}, 5);
  CHECK(table.workers() == 1);
  CHECK(table.credit() == 5);
}

TEST_CASE("shares differ by one at most, whatever dies and comes back between rounds") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  dispatch_table table;
  constexpr unsigned slots = 7;
  std::map<std::uint64_t, std::uint64_t> incarnations;
  for (unsigned s = 1; s <= slots; ++s) table.add({s, ++incarnations[s]}, 1'000'000);
  std::map<std::uint64_t, unsigned> shares;
  for (int i = 0; i < 700; ++i) {
    if (random() % 20 == 0) {
      const std::uint64_t slot = 1 + random() % slots;
      table.remove({slot, incarnations[slot]});
      table.add({slot, ++incarnations[slot]}, 1'000'000);
    }
    ++shares[table.pick()->slot];
  }
  for (unsigned s = 1; s <= slots; ++s) CHECK(shares[s] == 100);
}

TEST_CASE("the sum of credits is what can be picked") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 200; ++round) {
    dispatch_table table;
    std::size_t sum = 0;
    const std::uint64_t workers = 1 + random() % 9;
    for (std::uint64_t s = 1; s <= workers; ++s) {
      const std::size_t credit = random() % 5;
      table.add({s, 1}, credit);
      sum += credit;
    }
    CHECK(table.credit() == sum);
    std::size_t picked = 0;
    while (table.pick()) ++picked;
    CHECK(picked == sum);
    CHECK(table.credit() == 0);
  }
}
