#include "script.hpp"
#include "simulation.hpp"
#include "support/catch.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

supervisor_spec pool(unsigned max_starting = 8) {
  return {.intensity = {.restarts = 3, .period = 30s},
          .on_exceeded = degrade,
          .parallel_start = true,
          .max_starting = max_starting};
}

std::vector<child_spec> slots(unsigned n) {
  std::vector<child_spec> all;
  for (unsigned i = 1; i <= n; ++i)
    all.push_back({.id = "web/" + std::to_string(i), .backoff = exact});
  return all;
}

} // namespace

TEST_CASE("a pool starts its slots at once, as many as may be starting") {
  script s{pool(2), slots(4)};
  CHECK(s.begin() == "start web/1#1; start web/2#1");
  CHECK(s.ready("web/2") == "start web/3#1");
  CHECK(s.ready("web/3") == "start web/4#1");
  CHECK(s.ready("web/4") == "");
  CHECK(s.ready("web/1") == "up");
}

TEST_CASE("when all slots die together, no more than may be starting start together") {
  script s{pool(2), slots(4)};
  s.boot();
  CHECK(s.ends("web/1", useful()) == "start web/1#2");
  CHECK(s.ends("web/2", useful()) == "start web/2#2");
  CHECK(s.ends("web/3", useful()) == "");
  CHECK(s.ends("web/4", useful()) == "");
  CHECK(s.state("web/3") == child_state::waiting);
  CHECK(s.ready("web/1") == "start web/3#2");
  CHECK(s.ends("web/2", not_started()) == "start web/4#2"); // it backs off, another one may
}

TEST_CASE("a slot whose first incarnation ends before it is ready is a boot failure") {
  script s{pool(), slots(3)};
  s.begin();
  s.ready("web/1");
  CHECK(s.ends("web/2", abnormal("exit code 1")) == "stop web/3; stop web/1");
  CHECK(s.ends("web/1", well()) == "");
  CHECK(s.ends("web/3", abnormal("SIGTERM")) ==
        "failed_start web/2: exit code 1, before it was ready");
}

TEST_CASE("a slot that cannot be started at boot is a boot failure") {
  script s{pool(1), slots(3)};
  s.begin();
  CHECK(s.ends("web/1", not_started("fork: Cannot allocate memory")) ==
        "failed_start web/1: fork: Cannot allocate memory");
}

TEST_CASE("a pool stops its slots at once, each with its own deadline") {
  script s{pool(), slots(3)};
  s.boot();
  CHECK(s.stop() == "stop web/3; stop web/2; stop web/1");
  CHECK(s.ends("web/2", well()) == "");
  CHECK(s.pass(5s) == "kill web/3; kill web/1");
  CHECK(s.ends("web/1", abnormal()) == "");
  CHECK(s.ends("web/3", abnormal()) == "stopped");
}

TEST_CASE("slots that wait for their turn are not started once the pool stops") {
  script s{pool(1), slots(3)};
  s.begin();
  CHECK(s.stop() == "stop web/1");
  CHECK(s.ends("web/1", well()) == "stopped");
}

TEST_CASE("a slot that keeps dying without progress is degraded, the others serve on") {
  script s{pool(), slots(2)};
  s.boot();
  for (int i = 0; i < 3; ++i) {
    s.ends("web/1", abnormal("exit code 9"));
    CHECK_FALSE(s.child("web/1").degraded);
    s.pass(1s);
    s.ready("web/1");
  }
  s.ends("web/1", abnormal("exit code 9"));
  CHECK(s.child("web/1").degraded);
  CHECK(s.last_report().context == report_context::degraded);
  CHECK(to_text(s.last_report()) == "web/1 (incarnation 4, pid 70): degraded because of exit code 9"
                                    " after 0.6 s; delay 30 s; 4 of 3 in 30 s");
  CHECK(s.state("web/2") == child_state::up);
  CHECK(s.core().state() == supervisor_state::running);

  for (int i = 0; i < 5; ++i) { // tried at backoff max, for ever
    CHECK(s.pass(29'999ms) == "");
    CHECK(s.pass(1ms) == "start web/1#" + std::to_string(5 + i));
    s.ends("web/1", not_started());
  }
  CHECK(s.child("web/1").degraded);
}

TEST_CASE("a pool that is down as a whole is tried again each second, by its last slot") {
  script s{pool(), slots(2)};
  s.boot();
  for (int i = 0; i < 4; ++i) // side by side, so that neither is up for long
    for (const std::string id : {"web/1", "web/2"}) {
      s.ends(id, abnormal());
      if (i == 3) continue;
      s.pass(400ms);
      s.ready(id);
    }
  CHECK(s.child("web/1").degraded);
  CHECK(s.child("web/2").degraded);
  CHECK(s.last_report().delay == 1s);
  for (unsigned i = 5; i < 8; ++i) {
    CHECK(s.pass(999ms) == "");
    CHECK(s.pass(1ms) == "start web/2#" + std::to_string(i));
    s.ends("web/2", not_started());
  }
  // The other one keeps to its own time, 30 s after its last end.
  CHECK(s.pass(1s) == "start web/2#8");
  s.ready("web/2");
  s.pass(1s);
  CHECK_FALSE(s.child("web/2").degraded);
  CHECK(s.pass(25s) == "start web/1#5");
  CHECK(s.ends("web/1", abnormal()) == "");
  CHECK(s.last_report().delay == 30s); // somebody serves
}

TEST_CASE("a degraded slot that stays up for stable_after has recovered") {
  script s{pool(), slots(1)};
  s.boot();
  for (int i = 0; i < 4; ++i) {
    s.ends("web/1", abnormal());
    s.pass(1s);
    s.ready("web/1");
  }
  CHECK(s.child("web/1").degraded);
  s.pass(999ms);
  CHECK(s.child("web/1").degraded);
  s.pass(1ms);
  CHECK_FALSE(s.child("web/1").degraded);
  CHECK(s.last_report().context == report_context::recovered);
  CHECK(s.ends("web/1", abnormal()) == "start web/1#6");
}

TEST_CASE("deaths after progress never degrade a slot, however many") {
  script s{pool(), slots(1)};
  s.boot();
  for (int i = 2; i < 1000; ++i) {
    CHECK(s.ends("web/1", useful()) == "start web/1#" + std::to_string(i));
    s.ready("web/1");
  }
  CHECK_FALSE(s.child("web/1").degraded);
}

TEST_CASE("every slot has an intensity of its own") {
  script s{pool(), slots(8)};
  s.boot();
  for (unsigned i = 1; i <= 8; ++i) {
    const std::string id = "web/" + std::to_string(i);
    for (int n = 0; n < 3; ++n) {
      s.ends(id, abnormal());
      s.pass(500ms);
      s.ready(id);
    }
    CHECK_FALSE(s.child(id).degraded);
  }
}

TEST_CASE("twelve workers that each crash within ten seconds never end their pool in an hour") {
  const auto seed = static_cast<std::uint64_t>(Catch::rngSeed());
  std::vector<child_spec> children = slots(12);
  for (child_spec& each : children) each.backoff = backoff{};
  simulation world{{.intensity = {.restarts = 5, .period = 30s},
                    .on_exceeded = degrade,
                    .parallel_start = true,
                    .max_starting = 4},
                   children,
                   {.start = {1ms, 5ms}, .life = {0ms, 10s}, .fails_to_start = 0, .useful = 0},
                   seed};
  CAPTURE(seed);
  world.run_until(1h);
  CHECK(world.core().state() == supervisor_state::running);
  CHECK(world.faults() > 12 * 300);
  // Up nearly all of the time: what is lost is the backoff of those that died in their first
  // second.
  CHECK(world.share_up() > 0.95);
}
