#include "support/catch.hpp"

#include <coppice/supervisors/restart_intensity.hpp>

#include <rapidcheck.h>
#include <vector>

using namespace coppice;
using namespace std::chrono_literals;

namespace {

constexpr monotonic_time at(std::chrono::milliseconds when) { return monotonic_time{when}; }

} // namespace

TEST_CASE("as many restarts as allowed are within the intensity, one more is not") {
  restart_intensity intensity{{.restarts = 3, .period = 10s}};
  CHECK(intensity.add(at(0s)));
  CHECK(intensity.add(at(1s)));
  CHECK(intensity.add(at(2s)));
  CHECK_FALSE(intensity.add(at(3s)));
  CHECK(intensity.count(at(3s)) == 4);
}

TEST_CASE("a restart exactly one period ago still counts, as in OTP") {
  restart_intensity intensity{{.restarts = 1, .period = 10s}};
  CHECK(intensity.add(at(0s)));
  CHECK_FALSE(intensity.add(at(10s)));
}

TEST_CASE("a restart a moment more than one period ago does not count") {
  restart_intensity intensity{{.restarts = 1, .period = 10s}};
  CHECK(intensity.add(at(0s)));
  CHECK(intensity.add(at(10'001ms)));
  CHECK(intensity.count(at(10'001ms)) == 1);
}

TEST_CASE("the window slides: it does not start anew at fixed moments") {
  restart_intensity intensity{{.restarts = 2, .period = 10s}};
  CHECK(intensity.add(at(1s)));
  CHECK(intensity.add(at(9s)));
  CHECK(intensity.add(at(12s)));       // the first is out, two are in
  CHECK_FALSE(intensity.add(at(13s))); // 9, 12, 13: a window reset at 10 s would allow it
}

TEST_CASE("no restarts allowed means that the first is too many") {
  restart_intensity intensity{{.restarts = 0, .period = 0s}};
  CHECK_FALSE(intensity.add(at(0s)));
  CHECK_FALSE(intensity.add(at(1h)));
}

TEST_CASE("many restarts at one moment all count") {
  restart_intensity intensity{{.restarts = 5, .period = 1ms}};
  for (int i = 0; i < 5; ++i) CHECK(intensity.add(at(7s)));
  CHECK_FALSE(intensity.add(at(7s)));
}

TEST_CASE("the sliding window agrees with counting all restarts anew") {
  CHECK(rc::check("intensity", [] {
    const auto restarts = *rc::gen::inRange(0U, 6U);
    const std::chrono::milliseconds period{*rc::gen::inRange(1, 1000)};
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 400));
    restart_intensity intensity{{.restarts = restarts, .period = period}};
    std::vector<monotonic_time> all;
    std::chrono::milliseconds now{0};
    for (const int step : steps) {
      now += std::chrono::milliseconds{step};
      all.push_back(at(now));
      std::size_t within = 0;
      for (const monotonic_time each : all)
        if (each >= at(now) - period) ++within;
      RC_ASSERT(intensity.add(at(now)) == (within <= restarts));
    }
  }));
}
