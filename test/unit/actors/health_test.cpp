#include "support/catch.hpp"

#include <coppice/actors/health.hpp>
#include <vector>

using namespace coppice;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t mib = 1024 * 1024;
constexpr monotonic_time start{1000s};

/// One look, and what must come of it.
struct look {
  std::chrono::milliseconds at;
  vital_signs signs;
  health_verdict expected{};
};

void play(const health_limits& limits, const std::vector<look>& looks, double draw = 0) {
  health_watch watch{limits, draw, start};
  for (const auto& each : looks) {
    INFO("at " << each.at.count() << " ms");
    const auto verdict = watch.look(each.signs, start + each.at);
    CHECK(verdict.what == each.expected.what);
    CHECK(verdict.reason == each.expected.reason);
  }
}

health_verdict hung(const char* reason) { return {health_verdict::hung, reason}; }
health_verdict exhausted(const char* reason) { return {health_verdict::exhausted, reason}; }

/// A look each second up to `last`, with the beats counted up to `beats_until`.
std::vector<look> silent_from(std::chrono::seconds beats_until, std::chrono::seconds last) {
  std::vector<look> looks;
  for (auto at = 1s; at <= last; ++at)
    looks.push_back({at, {.beats = static_cast<std::uint64_t>(std::min(at, beats_until).count())}});
  return looks;
}

} // namespace

TEST_CASE("a worker whose heart beats is well, for however long", "[health]") {
  play({}, silent_from(100'000s, 100'000s));
}

TEST_CASE("a worker is hung when its heart has been silent for so long, and not before",
          "[health]") {
  auto looks = silent_from(10s, 40s);
  looks.back().expected = hung("hung: no heartbeat for 30 s");
  play({}, looks);

  looks = silent_from(10s, 13s);
  looks.back().expected = hung("hung: no heartbeat for 3 s");
  play({.hang_timeout = 3s}, looks);
}

TEST_CASE("a worker that is ready and has never beaten is hung, too", "[health]") {
  auto looks = silent_from(0s, 30s);
  looks.back().expected = hung("hung: no heartbeat for 30 s");
  play({}, looks);
}

TEST_CASE("a heart that misses beats goes on", "[health]") {
  std::vector<look> looks;
  for (std::uint64_t i = 1; i < 1000; ++i)
    looks.push_back({std::chrono::seconds{i}, {.beats = i / 29}});
  play({}, looks);
}

TEST_CASE("nothing is hung where nobody wants to know", "[health]") {
  play({.hang_timeout = std::nullopt, .max_memory = mib}, silent_from(0s, 10'000s));
  CHECK(health_limits{}.any());
  CHECK_FALSE(health_limits{.hang_timeout = std::nullopt}.any());
  CHECK(health_limits{.hang_timeout = std::nullopt, .max_requests = 1}.any());
}

TEST_CASE("after the primary was away one look concludes nothing", "[health]") {
  SECTION("both were stopped: the worker has had no time to beat, and beats then") {
    play({}, {{1s, {.beats = 1}}, {3600s, {.beats = 1}}, {3601s, {.beats = 2}}});
  }
  SECTION("the time that was lost is not silence; what the worker is silent for then is") {
    auto looks = silent_from(5s, 25s); // silent for 20 s
    looks.push_back({125s, {.beats = 5}});
    for (int more = 1; more < 10; ++more) looks.push_back({125s + more * 1s, {.beats = 5}});
    looks.push_back({135s, {.beats = 5}, hung("hung: no heartbeat for 30 s")});
    play({}, looks);
  }
  SECTION("nor is a limit acted on in that look") {
    play({.max_lifetime = 10s},
         {{1s, {.beats = 1}},
          {20s, {.beats = 1}},
          {21s, {.beats = 2}, exhausted("max_lifetime 10 s reached (up for 21 s)")}});
  }
  SECTION("a primary that is always late still finds who hangs") {
    // Every other look counts: 20 s of silence at 40 s, 40 s at 80 s.
    play({}, {{20s, {}}, {40s, {}}, {60s, {}}, {80s, {}, hung("hung: no heartbeat for 30 s")}});
  }
}

TEST_CASE("a look that is a little late is a look", "[health]") {
  play({.hang_timeout = 3s}, {{1s, {.beats = 1}},
                              {2400ms, {.beats = 1}},
                              {3900ms, {.beats = 1}},
                              {4s, {.beats = 1}, hung("hung: no heartbeat for 3 s")}});
}

TEST_CASE("a limit that is reached is said once, with what was seen", "[health]") {
  SECTION("memory") {
    play({.max_memory = 200 * mib},
         {{1s, {1, 199 * mib}},
          {2s, {2, 213 * mib}, exhausted("max_memory 200 MiB exceeded (rss 213 MiB)")},
          {3s, {3, 300 * mib}}});
  }
  SECTION("lifetime") {
    play({.max_lifetime = 2s},
         {{1s, {1}}, {2s, {2}, exhausted("max_lifetime 2 s reached (up for 2 s)")}, {3s, {3}}});
  }
  SECTION("requests") {
    play({.max_requests = 1000},
         {{1s, {1, 0, 999}},
          {2s, {2, 0, 1043}, exhausted("max_requests 1000 reached (1043 served)")},
          {3s, {3, 0, 2000}}});
  }
  SECTION("a worker that has reached one may hang all the same") {
    play({.hang_timeout = 3s, .max_requests = 1},
         {{1s, {1, 0, 1}, exhausted("max_requests 1 reached (1 served)")},
          {2s, {1, 0, 1}},
          {3s, {1, 0, 1}},
          {4s, {1, 0, 1}, hung("hung: no heartbeat for 3 s")}});
  }
  SECTION("silence comes before everything else") {
    play({.hang_timeout = 3s, .max_lifetime = 3s},
         {{1s, {}}, {2s, {}}, {3s, {}, hung("hung: no heartbeat for 3 s")}});
  }
}

TEST_CASE("the draw spreads the limits over the jitter, upwards", "[health]") {
  const health_limits limits{.max_requests = 1000, .jitter = 0.5};
  play(
      limits,
      {{1s, {1, 0, 999}}, {2s, {2, 0, 1000}, exhausted("max_requests 1000 reached (1000 served)")}},
      0);
  play(limits,
       {{1s, {1, 0, 1249}},
        {2s, {2, 0, 1250}, exhausted("max_requests 1000 reached (1250 served)")}},
       0.5);
  play({.max_lifetime = 10s, .jitter = 0.5},
       {{14s, {1}},
        {14500ms, {2}},
        {15s, {3}, exhausted("max_lifetime 10 s reached (up for 15 s)")}},
       1);
  play({.max_memory = 100 * mib, .jitter = 1},
       {{1s, {1, 149 * mib}},
        {2s, {2, 150 * mib}, exhausted("max_memory 100 MiB exceeded (rss 150 MiB)")}},
       0.5);
}

TEST_CASE("bytes for people", "[health]") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(1023) == "1023 B");
  CHECK(bytes_text(1024) == "1 KiB");
  CHECK(bytes_text(1536) == "1.5 KiB");
  CHECK(bytes_text(200 * mib) == "200 MiB");
  CHECK(bytes_text(213 * mib + mib / 3) == "213 MiB");
  CHECK(bytes_text(~std::uint64_t{0}) == "16 EiB");
}
