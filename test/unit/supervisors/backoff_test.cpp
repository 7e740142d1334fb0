#include "support/catch.hpp"

#include <coppice/supervisors/backoff.hpp>

#include <rapidcheck.h>

using namespace coppice;
using namespace std::chrono_literals;

namespace {

struct waits {
  backoff spec;
  random_source random{1};
  failure_streak streak{};
  monotonic_duration death(bool progress = false) {
    return streak.after_death(spec, progress, random);
  }
};

backoff any_backoff() {
  backoff spec;
  spec.first = std::chrono::milliseconds{*rc::gen::inRange(1, 5'000)};
  spec.max = spec.first + std::chrono::milliseconds{*rc::gen::inRange(0, 100'000)};
  spec.factor = 1 + *rc::gen::inRange(0, 400) / 100.0;
  spec.jitter = *rc::gen::inRange(0, 100) / 100.0;
  return spec;
}

} // namespace

TEST_CASE("deaths in a row without progress wait first, first * factor, ... up to max") {
  waits w{{.first = 100ms, .max = 1s, .factor = 2, .jitter = 0}};
  CHECK(w.death() == 100ms);
  CHECK(w.death() == 200ms);
  CHECK(w.death() == 400ms);
  CHECK(w.death() == 800ms);
  CHECK(w.death() == 1s);
  CHECK(w.death() == 1s);
}

TEST_CASE("a death after progress restarts at once and ends the streak") {
  waits w{{.first = 100ms, .jitter = 0}};
  w.death();
  w.death();
  CHECK(w.death(true) == 0s);
  CHECK(w.streak.length() == 0);
  CHECK(w.death() == 100ms);
}

TEST_CASE("backoff::none restarts at once, always") {
  waits w{backoff::none};
  for (int i = 0; i < 100; ++i) CHECK(w.death() == 0s);
  CHECK(backoff::none.is_none());
  CHECK_FALSE(backoff{}.is_none());
}

TEST_CASE("the same seed gives the same waits") {
  waits one{backoff{}};
  waits two{backoff{}};
  for (int i = 0; i < 50; ++i) CHECK(one.death() == two.death());
}

TEST_CASE("a streak of a million deaths is capped, not overflown") {
  waits w{{.first = 100ms, .max = 30s, .factor = 10, .jitter = 0}};
  for (int i = 0; i < 1'000'000; ++i) static_cast<void>(w.death());
  CHECK(w.death() == 30s);
}

TEST_CASE("every wait is within jitter of first * factor^(n-1) capped at max") {
  CHECK(rc::check("bounds", [] {
    const backoff spec = any_backoff();
    random_source random{*rc::gen::arbitrary<std::uint64_t>()};
    failure_streak streak;
    const int deaths = *rc::gen::inRange(1, 60);
    for (int n = 1; n <= deaths; ++n) {
      const auto plain =
          std::chrono::duration<double>(plain_wait(spec, static_cast<unsigned>(n))).count();
      const auto wait =
          std::chrono::duration<double>(streak.after_death(spec, false, random)).count();
      RC_ASSERT(wait >= plain * (1 - spec.jitter) - 1e-6);
      RC_ASSERT(wait <= plain * (1 + spec.jitter) + 1e-6);
      RC_ASSERT(plain <= std::chrono::duration<double>(spec.max).count());
    }
  }));
}

TEST_CASE("without jitter waits never get shorter while nothing makes progress") {
  CHECK(rc::check("monotonic", [] {
    backoff spec = any_backoff();
    spec.jitter = 0;
    random_source random{1};
    failure_streak streak;
    monotonic_duration last{0};
    for (int n = *rc::gen::inRange(1, 100); n > 0; --n) {
      const auto wait = streak.after_death(spec, false, random);
      RC_ASSERT(wait >= last);
      last = wait;
    }
  }));
}
