#include "script.hpp"
#include "support/catch.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

enum class cause { exit_0, exit_n, signal, start_failure, ready_timeout, asked };

/// What becomes of a child with this restart type that was up, and then ends so. A start failure or
/// ready timeout happens to the incarnation after a first, useful one.
child_state fate(restart_type restart, cause why) {
  script s{{}, {{.id = "a", .restart = restart, .backoff = exact, .ready_timeout = 5s}}};
  s.boot();
  switch (why) {
  case cause::exit_0:
    s.ends("a", well());
    break;
  case cause::exit_n:
    s.ends("a", abnormal("exit code 3"));
    break;
  case cause::signal:
    s.ends("a", abnormal("SIGKILL"));
    break;
  case cause::start_failure:
    s.ends("a", useful());
    if (s.state("a") == child_state::starting) s.ends("a", not_started());
    break;
  case cause::ready_timeout:
    s.ends("a", useful());
    s.pass(5s);
    if (s.state("a") == child_state::timing_out) s.ends("a", abnormal("SIGKILL"));
    break;
  case cause::asked:
    s.stop();
    s.ends("a", abnormal("SIGTERM"));
    break;
  }
  return s.state("a");
}

} // namespace

TEST_CASE("each restart type and each cause of death: restarted, kept down, or forgotten") {
  using enum child_state;
  struct row {
    cause why;
    child_state permanent_is, transient_is, temporary_is;
  };
  const row table[] = {
      {cause::exit_0, backing_off, down, removed},
      {cause::exit_n, backing_off, backing_off, removed},
      {cause::signal, backing_off, backing_off, removed},
      {cause::start_failure, backing_off, backing_off, removed},
      {cause::ready_timeout, backing_off, backing_off, removed},
      {cause::asked, down, down, removed},
  };
  for (const row& each : table) {
    CAPTURE(static_cast<int>(each.why));
    CHECK(to_string(fate(permanent, each.why)) == to_string(each.permanent_is));
    CHECK(to_string(fate(transient, each.why)) == to_string(each.transient_is));
    CHECK(to_string(fate(temporary, each.why)) == to_string(each.temporary_is));
  }
}

TEST_CASE("under one_for_one the death of one touches nobody else") {
  script s{{}, {{.id = "a"}, {.id = "b"}, {.id = "c"}}};
  s.boot();
  CHECK(s.ends("b", useful()) == "start b#2");
  CHECK(s.state("a") == child_state::up);
  CHECK(s.state("c") == child_state::up);
  CHECK(s.incarnation("a") == 1);
}

TEST_CASE("deaths without progress wait longer and longer, progress starts over") {
  script s{{.intensity = {.restarts = 100, .period = 1s}}, {{.id = "a", .backoff = exact}}};
  s.boot();
  CHECK(s.ends("a", abnormal()) == "");
  CHECK(s.pass(99ms) == "");
  CHECK(s.pass(1ms) == "start a#2");
  s.ready("a");
  CHECK(s.ends("a", abnormal()) == "");
  CHECK(s.pass(199ms) == "");
  CHECK(s.pass(1ms) == "start a#3");
  CHECK(s.ends("a", not_started()) == "");
  CHECK(s.pass(399ms) == "");
  CHECK(s.pass(1ms) == "start a#4");
  s.ready("a");
  CHECK(s.ends("a", useful()) == "start a#5");
  s.ready("a");
  CHECK(s.ends("a", abnormal()) == "");
  CHECK(s.pass(100ms) == "start a#6");
}

TEST_CASE("being ready for stable_after is progress, a moment less is not") {
  script s{{.intensity = {.restarts = 100}}, {{.id = "a", .backoff = exact}}};
  s.boot();
  s.pass(999ms);
  CHECK(s.ends("a", abnormal()) == "");
  s.pass(100ms);
  s.ready("a");
  s.pass(1s);
  CHECK(s.ends("a", abnormal()) == "start a#3");
}

TEST_CASE("time before ready is no progress, nor is work that was never ready") {
  script s{{.intensity = {.restarts = 100}}, {{.id = "a", .backoff = exact}}};
  s.boot();
  s.ends("a", useful());
  s.pass(50s); // starting all the while
  CHECK(s.ends("a", useful("exit code 1")) == "");
  CHECK(s.state("a") == child_state::backing_off);
}

TEST_CASE("backoff::none restarts at once, also after a failed start") {
  script s{{.intensity = {.restarts = 100}}, {{.id = "a", .backoff = backoff::none}}};
  s.boot();
  CHECK(s.ends("a", abnormal()) == "start a#2");
  CHECK(s.ends("a", not_started()) == "start a#3");
}

TEST_CASE("more than the intensity's restarts stops all in reverse order and gives up") {
  script s{{.intensity = {.restarts = 2, .period = 10s}}, {{.id = "a"}, {.id = "b"}, {.id = "c"}}};
  s.boot();
  CHECK(s.ends("b", useful()) == "start b#2");
  s.ready("b");
  CHECK(s.ends("b", useful()) == "start b#3");
  s.ready("b");
  CHECK(s.ends("b", useful("SIGSEGV")) == "stop c");
  CHECK(s.state("b") == child_state::down);
  CHECK(s.ends("c", well()) == "stop a");
  CHECK(s.ends("a", well()) == "give_up");
  CHECK(to_text(s.last_report()) ==
        "top: shuts down: more than 2 restarts in 10 s, the last because b ended: SIGSEGV");
}

TEST_CASE("restarts of different children count together, and old ones no more") {
  script s{{.intensity = {.restarts = 2, .period = 10s}}, {{.id = "a"}, {.id = "b"}}};
  s.boot();
  s.ends("a", useful());
  s.ready("a");
  s.pass(9s);
  s.ends("b", useful());
  s.ready("b");
  s.pass(2s);
  CHECK(s.ends("a", useful()) == "start a#3");
  s.ready("a");
  CHECK(s.ends("a", useful()) == "stop b");
}

TEST_CASE("a failed restart counts again") {
  script s{{.intensity = {.restarts = 2, .period = 10s}},
           {{.id = "a"}, {.id = "b", .backoff = backoff::none}}};
  s.boot();
  CHECK(s.ends("b", useful()) == "start b#2");
  CHECK(s.ends("b", not_started()) == "start b#3");
  CHECK(s.ends("b", not_started()) == "stop a");
  CHECK(s.ends("a", well()) == "give_up");
}

TEST_CASE("ends that are not followed by a restart do not count") {
  script s{{.intensity = {.restarts = 0}},
           {{.id = "a", .restart = temporary}, {.id = "b", .restart = transient}, {.id = "c"}}};
  s.boot();
  CHECK(s.ends("a", abnormal()) == "");
  CHECK(s.ends("b", well()) == "");
  CHECK(s.core().state() == supervisor_state::running);
  CHECK_FALSE(s.core().children().key_of("a")); // forgotten
  CHECK(s.core().children().key_of("b"));       // kept
}

TEST_CASE("a slow start does not hold up somebody else's restart") {
  script s{{}, {{.id = "a"}, {.id = "b"}}};
  s.boot();
  CHECK(s.ends("a", useful()) == "start a#2");
  CHECK(s.ends("b", useful()) == "start b#2");
}

TEST_CASE("a timer of a state that has been left does nothing") {
  script s{{.intensity = {.restarts = 100}}, {{.id = "a", .backoff = exact, .ready_timeout = 5s}}};
  s.boot();
  const auto armed = s.child("a").timer; // of the start, which is over
  CHECK(armed == 0);
  s.ends("a", abnormal());
  const auto waiting = s.child("a").timer;
  CHECK(s.pass(100ms) == "start a#2");
  CHECK(s.play(supervising::timer_due{{0, waiting}}) == "");
  s.ready("a");
  CHECK(s.pass(1h) == "");
}

TEST_CASE("any significant child's own end stops the supervisor") {
  script s{{.auto_shutdown = auto_shutdown_policy::any_significant},
           {{.id = "a"},
            {.id = "job", .restart = transient, .significant = true},
            {.id = "other", .restart = transient, .significant = true}}};
  s.boot();
  CHECK(s.ends("job", well()) == "stop other");
  CHECK(s.ends("other", well()) == "stop a");
  CHECK(s.ends("a", well()) == "stopped");
}

TEST_CASE("with all_significant the last one's end stops it") {
  script s{{.auto_shutdown = auto_shutdown_policy::all_significant},
           {{.id = "a"},
            {.id = "job", .restart = temporary, .significant = true},
            {.id = "other", .restart = transient, .significant = true}}};
  s.boot();
  CHECK(s.ends("other", well()) == "");
  CHECK(s.ends("job", abnormal()) == "stop a");
  CHECK(s.ends("a", well()) == "stopped");
}

TEST_CASE("a significant child that is restarted stops nothing") {
  script s{{.auto_shutdown = auto_shutdown_policy::any_significant},
           {{.id = "job", .restart = transient, .significant = true}}};
  s.boot();
  CHECK(s.ends("job", useful()) == "start job#2");
}

TEST_CASE("why a child was restarted can be told later") {
  script s{{.intensity = {.restarts = 5, .period = 30s}}, {{.id = "a", .backoff = exact}}};
  s.boot();
  s.pass(400ms);
  s.ends("a", {ending::abnormal, "SIGSEGV (core dumped)", false, 71});
  CHECK(to_text(s.last_report()) ==
        "a (incarnation 1, pid 71): restarted because of SIGSEGV (core dumped) after 0.4 s;"
        " delay 0.1 s; 1 of 5 in 30 s");
  const death last = s.child("a").deaths.last();
  CHECK(last.incarnation == 1);
  CHECK(last.ending.pid == 71);
  CHECK(last.uptime == 400ms);
  CHECK(last.was_ready);
  CHECK(last.restarted);
  CHECK(last.delay == 100ms);
  CHECK_FALSE(last.asked);
  CHECK(to_text(last, {5, 30s}) == "restarted because of SIGSEGV (core dumped) after 0.4 s;"
                                   " delay 0.1 s; 1 of 5 in 30 s");
  CHECK(s.child("a").restarts() == 0);
  s.pass(100ms);
  CHECK(s.child("a").restarts() == 1);
}
