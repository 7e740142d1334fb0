#include "support/catch.hpp"

#include <coppice/supervisors/deadlines.hpp>

using namespace coppice;
using namespace std::chrono_literals;

namespace {

constexpr monotonic_time at(std::chrono::milliseconds when) { return monotonic_time{when}; }

} // namespace

TEST_CASE("deadlines come due in their order, each once") {
  deadlines all;
  all.set({0, 1}, at(30ms));
  all.set({1, 2}, at(10ms));
  all.set({2, 3}, at(10ms));
  CHECK(all.take_due(at(9ms)).empty());
  CHECK(all.take_due(at(30ms)) == std::vector<supervising::timer_token>{{1, 2}, {2, 3}, {0, 1}});
  CHECK(all.take_due(at(1h)).empty());
  CHECK(all.size() == 0);
}

TEST_CASE("a child has one deadline: a later one replaces it") {
  deadlines all;
  all.set({0, 1}, at(10ms));
  all.set({0, 2}, at(20ms));
  CHECK(all.size() == 1);
  CHECK(all.take_due(at(15ms)).empty());
  CHECK(all.take_due(at(20ms)) == std::vector<supervising::timer_token>{{0, 2}});
}

TEST_CASE("a wake-up is asked for only if none comes early enough") {
  deadlines all;
  CHECK_FALSE(all.next_wake_up());
  all.set({0, 1}, at(60s));
  CHECK(all.next_wake_up() == at(60s));
  CHECK_FALSE(all.next_wake_up());
  all.set({1, 2}, at(61s));
  CHECK_FALSE(all.next_wake_up());
  all.set({0, 3}, at(100ms));
  CHECK(all.next_wake_up() == at(100ms));
}

TEST_CASE("a thousand restarts, each with its ready timeout, leave two wake-ups behind") {
  deadlines all;
  std::uint64_t serial = 0;
  for (auto now = 0ms; now < 1000s; now += 1s) {
    static_cast<void>(all.take_due(at(now)));
    all.set({0, ++serial}, at(now + 60s)); // started
    static_cast<void>(all.next_wake_up());
    all.set({0, ++serial}, at(now + 100ms)); // died, backing off
    static_cast<void>(all.next_wake_up());
    CHECK(all.take_due(at(now + 100ms)).size() == 1);
    CHECK_FALSE(all.wake_ups() > 2);
    CHECK(all.size() <= 1);
  }
}
