// Replacements: the one place where a child has two incarnations at a time.
#include "script.hpp"
#include "support/catch.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

child_spec kid(const char* id, restart_type restart = permanent) {
  return {.id = id, .restart = restart, .shutdown = 5s, .backoff = exact};
}
ending old() { return {ending::well, "old enough"}; }
ending threw(bool progress = true) { return {ending::abnormal, "it threw", progress}; }

script running(std::vector<child_spec> children, supervisor_spec spec = {}) {
  script s{spec, std::move(children)};
  s.boot();
  return s;
}
supervisor_spec pool(unsigned max_starting = 8) {
  return {.intensity = {.restarts = 3, .period = 30s},
          .on_exceeded = degrade,
          .parallel_start = true,
          .max_starting = max_starting};
}

} // namespace

TEST_CASE("a child that retires is stopped once its successor is ready") {
  script s = running({kid("a"), kid("b")});
  CHECK(s.retires("a", old()) == "start a#2");
  CHECK(s.state("a") == child_state::up);
  CHECK(s.second("a") == child_state::starting);
  CHECK(s.incarnation("a") == 1);
  CHECK(s.last_report().context == report_context::retires);
  CHECK(to_text(s.last_report()) ==
        "a (incarnation 1, pid 70): is replaced because of old enough after 0 s");
  s.pass(1s);
  CHECK(s.ready("a", 2) == "stop a#1");
  CHECK(s.state("a") == child_state::up);
  CHECK(s.incarnation("a") == 2);
  CHECK(s.second("a") == child_state::stopping);
  CHECK(s.ends("a", 1, well()) == "");
  CHECK_FALSE(s.second("a"));
  const death& last = s.child("a").deaths.last();
  CHECK(last.incarnation == 1);
  CHECK(last.asked);
  CHECK(last.uptime == 1s);
  CHECK(last.ending.reason == "replaced: old enough; exit code 0");
  CHECK(s.child("a").restarts() == 1);
  CHECK(s.incarnation("b") == 1);
  CHECK(s.pass(10min) == "");
}

TEST_CASE("a retirement is no death: no intensity, no streak") {
  script s = running({kid("a")}, {.intensity = {.restarts = 0, .period = 30s}});
  for (std::uint64_t n = 1; n < 50; ++n) {
    CHECK(s.retires("a", old()) == "start a#" + std::to_string(n + 1));
    CHECK(s.ready("a", n + 1) == "stop a#" + std::to_string(n));
    CHECK(s.ends("a", n, well()) == "");
  }
  CHECK(s.child("a").streak.length() == 0);
  CHECK(s.core().state() == supervisor_state::running);
}

TEST_CASE("a predecessor that does not stop is killed when its time is over") {
  script s = running({kid("a")});
  s.retires("a", old());
  s.ready("a", 2);
  CHECK(s.pass(4999ms) == "");
  CHECK(s.pass(1ms) == "kill a#1");
  CHECK(s.ends("a", 1, abnormal("SIGKILL")) == "");
  CHECK(s.last_report().context == report_context::shutdown_error);
  CHECK(s.last_report().offender->incarnation == 1);
  CHECK(s.state("a") == child_state::up);
}

TEST_CASE("the brutal way is open to a predecessor, too") {
  child_spec a = kid("a");
  a.shutdown = brutal_kill;
  script s = running({a});
  s.retires("a", old());
  CHECK(s.ready("a", 2) == "kill a#1");
}

TEST_CASE("a successor that cannot start leaves the child as it is, and is tried again") {
  script s = running({kid("a")}, {.intensity = {.restarts = 0, .period = 30s}});
  s.retires("a", old());
  CHECK(s.ends("a", 2, not_started()) == "");
  CHECK(s.second("a") == child_state::backing_off);
  CHECK(s.last_report().context == report_context::start_error);
  CHECK(s.last_report().delay == monotonic_duration{100ms});
  CHECK(s.pass(100ms) == "start a#3");
  CHECK(s.ends("a", 3, abnormal("exit code 1")) == "");
  CHECK(s.pass(199ms) == "");
  CHECK(s.pass(1ms) == "start a#4");
  SECTION("and again, at the backoff's max in the end") {
    for (std::uint64_t n = 4; n < 20; ++n) {
      s.ends("a", n, not_started());
      CHECK(s.pass(30s) == "start a#" + std::to_string(n + 1));
      CHECK(s.state("a") == child_state::up);
    }
  }
  SECTION("until it works") {
    CHECK(s.ready("a", 4) == "stop a#1");
    CHECK(s.child("a").streak.length() == 0);
  }
}

TEST_CASE("a successor that is not ready in time is killed, and tried again") {
  child_spec a = kid("a");
  a.ready_timeout = 1s;
  script s = running({a});
  s.retires("a", old());
  CHECK(s.pass(1s) == "kill a#2");
  CHECK(s.second("a") == child_state::timing_out);
  CHECK(s.ready("a", 2) == ""); // too late
  CHECK(s.ends("a", 2, abnormal("SIGKILL")) == "");
  CHECK(s.child("a").deaths.last().ending.reason == "not ready within 1 s");
  CHECK(s.pass(100ms) == "start a#3");
  CHECK(s.state("a") == child_state::up);
}

TEST_CASE("a successor without backoff is not tried in a hot loop") {
  child_spec a = kid("a");
  a.backoff = backoff::none;
  script s = running({a});
  s.retires("a", old());
  CHECK(s.ends("a", 2, not_started()) == "");
  CHECK(s.second("a") == child_state::backing_off);
  CHECK(s.pass(50ms) == "");
}

TEST_CASE("a child that dies while its successor starts has a successor") {
  script s = running({kid("a")}, {.intensity = {.restarts = 1, .period = 30s}});
  s.retires("a", old());
  SECTION("the death counts as what it is") {
    CHECK(s.ends("a", 1, useful()) == "");
    CHECK(s.state("a") == child_state::starting);
    CHECK(s.incarnation("a") == 2);
    CHECK_FALSE(s.second("a"));
    CHECK(s.last_report().context == report_context::child_terminated);
    CHECK(s.ready("a") == "");
    CHECK(s.state("a") == child_state::up);
    CHECK(s.ends("a", useful()) == "give_up"); // the second within 30 s
  }
  SECTION("one death too many is too many") {
    s.ends("a", 1, useful());
    s.ready("a");
    s.retires("a", old());
    CHECK(s.ends("a", 2, useful()) == "stop a#3");
    CHECK(s.ends("a", 3, well()) == "give_up");
  }
  SECTION("the end that it had announced counts as none") {
    CHECK(s.ends("a", 1, well()) == "");
    CHECK(s.ready("a") == "");
    CHECK(s.ends("a", useful()) == "start a#3"); // the first
  }
  SECTION("its start has no more time than it had") {
    s.pass(59s);
    s.ends("a", 1, useful());
    CHECK(s.pass(1s) == "kill a");
  }
  SECTION("a stale word of the dead one changes nothing") {
    s.ends("a", 1, useful());
    CHECK(s.ends("a", 1, useful()) == "");
    CHECK(s.ready("a", 1) == "");
    CHECK(s.state("a") == child_state::starting);
  }
}

TEST_CASE("a child that dies while its successor is killed for being late gets another one") {
  child_spec a = kid("a");
  a.ready_timeout = 1s;
  script s = running({a});
  s.retires("a", old());
  s.pass(1s);
  CHECK(s.ends("a", 1, useful()) == "");
  CHECK(s.state("a") == child_state::timing_out);
  CHECK(s.ends("a", 2, abnormal("SIGKILL")) == "");
  CHECK(s.pass(100ms) == "start a#3");
}

TEST_CASE("a child that dies while its successor waits is restarted as ever") {
  script s = running({kid("a")});
  s.retires("a", old());
  s.ends("a", 2, not_started());
  SECTION("after a death with progress at once") {
    CHECK(s.ends("a", 1, useful()) == "start a#3");
    CHECK_FALSE(s.second("a"));
    CHECK(s.pass(10s) == "");
  }
  SECTION("after one without it, later") {
    CHECK(s.ends("a", 1, abnormal()) == "");
    CHECK(s.pass(100ms) == "start a#3");
  }
  SECTION("after the end that it had announced at once") {
    CHECK(s.ends("a", 1, well()) == "start a#3");
  }
}

TEST_CASE("a transient child that has announced its end comes back all the same") {
  script s = running({kid("a", transient)});
  s.retires("a", old());
  SECTION("its successor starts") {
    CHECK(s.ends("a", 1, well()) == "");
    CHECK(s.state("a") == child_state::starting);
  }
  SECTION("its successor waits") {
    s.ends("a", 2, not_started());
    CHECK(s.ends("a", 1, well()) == "start a#3");
  }
}

TEST_CASE("a successor that dies while its predecessor stops is restarted beside it") {
  script s = running({kid("a")});
  s.retires("a", old());
  s.ready("a", 2);
  CHECK(s.ends("a", 2, useful()) == "start a#3");
  CHECK(s.second("a") == child_state::stopping);
  CHECK(s.ready("a", 3) == "");
  CHECK(s.ends("a", 1, well()) == "");
  CHECK(s.incarnation("a") == 3);
}

TEST_CASE("who retires while a predecessor still stops waits until that is gone") {
  script s = running({kid("a")});
  s.retires("a", old());
  s.ready("a", 2);
  CHECK(s.retires("a", old()) == "");
  CHECK(s.ends("a", 1, well()) == "start a#3");
  CHECK(s.ready("a", 3) == "stop a#2");
}

TEST_CASE("only the first wish of an incarnation that is up counts") {
  script s = running({kid("a")});
  CHECK(s.retires("a", old()) == "start a#2");
  CHECK(s.retires("a", old()) == "");
  CHECK(s.retires("a", threw()) == "");
  CHECK(s.play(supervising::child_retires{s.key("a"), 7, old()}) == "");
  CHECK(s.play(supervising::child_retires{99, 1, old()}) == "");
  s.ready("a", 2);
  s.ends("a", 1, well());
  CHECK(s.play(supervising::child_retires{s.key("a"), 1, old()}) == "");

  script starting{{}, {kid("a")}};
  starting.begin();
  CHECK(starting.retires("a", old()) == "");
  CHECK(starting.ready("a") == "up");
}

TEST_CASE("a temporary child that retires is stopped, and forgotten") {
  script s = running({kid("a", temporary), kid("b")});
  CHECK(s.retires("a", old()) == "stop a");
  CHECK(s.ends("a", well()) == "");
  CHECK(s.state("a") == child_state::removed);
}

TEST_CASE("what must not exist twice is stopped first") {
  child_spec a = kid("a");
  a.replacement = stop_first;
  script s = running({a}, {.intensity = {.restarts = 1, .period = 30s}});
  CHECK(s.retires("a", old()) == "stop a");
  CHECK(s.state("a") == child_state::stopping);
  SECTION("and started at once when it is gone; that is no death") {
    CHECK(s.ends("a", well()) == "start a#2");
    s.ready("a");
    CHECK(s.ends("a", useful()) == "start a#3");
  }
  SECTION("unless the supervisor stops") {
    CHECK(s.stop() == "");
    CHECK(s.ends("a", well()) == "stopped");
  }
  SECTION("by force, if need be") {
    CHECK(s.pass(5s) == "kill a");
    CHECK(s.ends("a", abnormal("SIGKILL")) == "start a#2");
  }
}

TEST_CASE("a failure that wants a replacement counts as an abnormal end") {
  script s = running({kid("a")}, {.intensity = {.restarts = 1, .period = 30s}});
  SECTION("after progress the successor starts at once") {
    CHECK(s.retires("a", threw()) == "start a#2");
    CHECK(s.last_report().context == report_context::retires);
    CHECK(s.last_report().count->restarts == 1);
    CHECK(s.ready("a", 2) == "stop a#1");
    CHECK(s.ends("a", 1, well()) == "");
    SECTION("one too many ends the supervisor") {
      CHECK(s.retires("a", threw()) == "stop a");
      CHECK(s.ends("a", well()) == "give_up");
    }
  }
  SECTION("without progress it waits, while the child serves on") {
    CHECK(s.retires("a", threw(false)) == "");
    CHECK(s.state("a") == child_state::up);
    CHECK(s.second("a") == child_state::backing_off);
    CHECK(s.child("a").streak.length() == 1);
    CHECK(s.pass(100ms) == "start a#2");
  }
}

TEST_CASE(
    "a failure of what is stopped first, or has a group, is followed by what follows a death") {
  SECTION("stop_first: its own restart, counted") {
    child_spec a = kid("a");
    a.replacement = stop_first;
    script s = running({a}, {.intensity = {.restarts = 1, .period = 30s}});
    CHECK(s.retires("a", threw()) == "stop a");
    CHECK(s.ends("a", useful()) == "start a#2");
    s.ready("a");
    s.retires("a", threw());
    CHECK(s.ends("a", well()) == "give_up");
  }
  SECTION("one_for_all: all of them") {
    script s = running({kid("a"), kid("b")}, {.strategy = one_for_all});
    CHECK(s.retires("a", threw()) == "stop a");
    CHECK(s.ends("a", {ending::well, "exit code 1", true}) == "stop b");
    CHECK(s.ends("b", well()) == "start a#2");
    CHECK(s.ready("a") == "start b#2");
  }
  SECTION("temporary: its end") {
    script s = running({kid("a", temporary)});
    CHECK(s.retires("a", threw()) == "stop a");
    CHECK(s.ends("a", well()) == "");
    CHECK(s.state("a") == child_state::removed);
  }
}

TEST_CASE("a pool whose slots keep failing without progress degrades them, and they serve on") {
  script s = running({kid("a")}, pool());
  std::uint64_t n = 1;
  for (; n <= 3; ++n) {
    s.retires("a", threw(false));
    s.pass(1s - 1ms); // not yet stable
    REQUIRE(s.second("a") == child_state::starting);
    s.ready("a", n + 1);
    s.ends("a", n, well());
  }
  s.retires("a", threw(false));
  CHECK(s.child("a").degraded);
  CHECK(s.last_report().context == report_context::degraded);
  CHECK(s.state("a") == child_state::up);
  CHECK(s.pass(30s - 1ms) == "");
  CHECK(s.pass(1ms) == "start a#5");
  s.ready("a", 5);
  s.pass(1s);
  CHECK_FALSE(s.child("a").degraded);
}

TEST_CASE("a group that is replaced at once starts no more successors than may be starting") {
  script s = running({kid("a"), kid("b"), kid("c")}, pool(2));
  CHECK(s.retires("a", old()) == "start a#2");
  CHECK(s.retires("b", old()) == "start b#2");
  CHECK(s.retires("c", old()) == "");
  CHECK(s.second("c") == child_state::waiting);
  CHECK(s.ready("b", 2) == "stop b#1; start c#2");
  SECTION("one that waits for its turn is not needed if the child dies") {
    script t = running({kid("a"), kid("b")}, pool(1));
    t.retires("a", old());
    t.retires("b", old());
    CHECK(t.ends("b", 1, useful()) == "");
    CHECK(t.state("b") == child_state::waiting);
    CHECK_FALSE(t.second("b"));
    CHECK(t.ready("a", 2) == "stop a#1; start b#2");
  }
}

TEST_CASE("a stop means both incarnations") {
  SECTION("while the successor starts") {
    script s = running({kid("a"), kid("b")});
    s.retires("a", old());
    CHECK(s.stop() == "stop a#2; stop b"); // nobody depends on a successor
    CHECK(s.ready("a", 2) == "");
    CHECK(s.ends("b", well()) == "stop a");
    CHECK(s.ends("a", 1, well()) == "");
    CHECK(s.ends("a", 2, well()) == "stopped");
  }
  SECTION("while the successor backs off") {
    script s = running({kid("a"), kid("b")});
    s.retires("a", old());
    s.ends("a", 2, not_started());
    CHECK(s.stop() == "stop b");
    CHECK_FALSE(s.second("a"));
    CHECK(s.pass(1s) == "");
    CHECK(s.ends("b", well()) == "stop a");
    CHECK(s.ends("a", well()) == "stopped");
  }
  SECTION("while the predecessor stops") {
    script s = running({kid("a")}, pool());
    s.retires("a", old());
    s.ready("a", 2);
    s.pass(2s);
    CHECK(s.stop() == "stop a");
    CHECK(s.pass(3s) == "kill a#1"); // it has no more time than it had
    CHECK(s.ends("a", 2, well()) == "");
    CHECK(s.ends("a", 1, abnormal("SIGKILL")) == "stopped");
  }
  SECTION("in a hurry") {
    script s = running({kid("a")}, pool());
    s.retires("a", old());
    s.ready("a", 2);
    CHECK(s.hurry(1s) == "hurry a#1; hurry a");
    CHECK(s.hurry(500ms) == "hurry a; hurry a#1");
    CHECK(s.pass(500ms) == "kill a; kill a#1");
  }
  SECTION("at once") {
    script s = running({kid("a"), kid("b"), kid("c")}, pool(1));
    s.retires("a", old());
    s.ready("a", 2);
    s.retires("b", old());
    s.retires("c", old());
    CHECK(s.kill() == "kill c; kill b#2; kill b; kill a#1; kill a");
  }
  SECTION("a successor that will not stop is killed like any other") {
    script s = running({kid("a")});
    s.retires("a", old());
    CHECK(s.stop() == "stop a#2; stop a");
    CHECK(s.pass(5s) == "kill a#2; kill a");
    s.ends("a", 2, abnormal("SIGKILL"));
    CHECK(s.ends("a", 1, abnormal("SIGKILL")) == "stopped");
  }
}

TEST_CASE("the restart of its group means both incarnations") {
  SECTION("the successor starts") {
    script s = running({kid("a"), kid("b"), kid("c")}, {.strategy = one_for_all});
    s.retires("b", old());
    CHECK(s.ends("a", useful()) == "stop b#2; stop c");
    CHECK(s.ends("c", well()) == "stop b");
    CHECK(s.ends("b", 1, well()) == "");
    CHECK(s.ends("b", 2, well()) == "start a#2");
    CHECK(s.ready("a") == "start b#3");
    CHECK(s.ready("b") == "start c#2");
  }
  SECTION("the predecessor stops") {
    script s = running({kid("a"), kid("b")}, {.strategy = one_for_all});
    s.retires("a", old());
    s.ready("a", 2);
    CHECK(s.ends("b", useful()) == "stop a");
    CHECK(s.ends("a", 2, well()) == "");
    CHECK(s.ends("a", 1, well()) == "start a#3");
    CHECK(s.ready("a") == "start b#2");
  }
  SECTION("the child itself dies while its successor starts") {
    script s = running({kid("a"), kid("b")}, {.strategy = one_for_all});
    s.retires("a", old());
    CHECK(s.ends("a", 1, useful()) == "stop a#2; stop b");
    CHECK(s.ends("b", well()) == "");
    CHECK(s.ends("a", 2, well()) == "start a#3");
  }
  SECTION("whoever retires then is restarted anyhow") {
    script s = running({kid("a"), kid("b"), kid("c")}, {.strategy = one_for_all});
    s.ends("a", useful());
    CHECK(s.retires("b", old()) == "");
  }
}
