#include "script.hpp"
#include "support/catch.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

child_spec kid(const char* id, restart_type restart = permanent) {
  return {.id = id, .restart = restart, .backoff = exact};
}
child_spec at_once(const char* id, restart_type restart = permanent) {
  return {.id = id, .restart = restart, .backoff = backoff::none};
}

script running(restart_strategy strategy, std::vector<child_spec> children,
               restart_limit limit = {.restarts = 100}) {
  script s{{.strategy = strategy, .intensity = limit}, std::move(children)};
  s.boot();
  return s;
}

} // namespace

TEST_CASE("one_for_all stops the rest in reverse order, then starts all in order") {
  script s = running(one_for_all, {kid("a"), kid("b"), kid("c"), kid("d")});
  CHECK(s.ends("b", useful()) == "stop d");
  CHECK(s.ends("d", well()) == "stop c");
  CHECK(s.ends("c", well()) == "stop a");
  CHECK(s.ends("a", well()) == "start a#2");
  CHECK(s.ready("a") == "start b#2");
  CHECK(s.ready("b") == "start c#2");
  CHECK(s.ready("c") == "start d#2");
  CHECK(s.ready("d") == "");
  CHECK(s.child("a").restarts() == 1);
}

TEST_CASE("rest_for_one does so for those that start after the dead one") {
  script s = running(rest_for_one, {kid("a"), kid("b"), kid("c"), kid("d")});
  CHECK(s.ends("b", useful()) == "stop d");
  CHECK(s.ends("d", well()) == "stop c");
  CHECK(s.ends("c", well()) == "start b#2");
  CHECK(s.ready("b") == "start c#2");
  CHECK(s.ready("c") == "start d#2");
  CHECK(s.ready("d") == "");
  CHECK(s.incarnation("a") == 1);
}

TEST_CASE("under rest_for_one the last child's death touches nobody else, the first's everybody") {
  script s = running(rest_for_one, {kid("a"), kid("b")});
  CHECK(s.ends("b", useful()) == "start b#2");
  s.ready("b");
  CHECK(s.ends("a", useful()) == "stop b");
  CHECK(s.ends("b", well()) == "start a#2");
  CHECK(s.ready("a") == "start b#3");
}

TEST_CASE("one restart of a group counts once, whatever its size") {
  script s = running(one_for_all, {kid("a"), kid("b"), kid("c")}, {.restarts = 1, .period = 10s});
  CHECK(s.ends("a", useful()) == "stop c");
  CHECK(s.ends("c", well()) == "stop b");
  CHECK(s.ends("b", well()) == "start a#2");
  s.ready("a");
  s.ready("b");
  s.ready("c");
  CHECK(s.ends("c", useful()) == "stop b"); // the second: gives up
  CHECK(s.ends("b", well()) == "stop a");
  CHECK(s.ends("a", well()) == "give_up");
}

TEST_CASE("the wait is that of the child that died, from its death on; the rest stop meanwhile") {
  script s = running(one_for_all, {kid("a"), kid("b"), kid("c")});
  CHECK(s.ends("a", abnormal()) == "stop c");
  CHECK(s.pass(60ms) == "");
  CHECK(s.ends("c", well()) == "stop b");
  CHECK(s.ends("b", well()) == "");
  CHECK(s.state("a") == child_state::backing_off);
  CHECK(s.state("b") == child_state::waiting);
  CHECK(s.pass(39ms) == "");
  CHECK(s.pass(1ms) == "start a#2");
}

TEST_CASE("a wait that is over before the rest have stopped holds nobody up") {
  script s = running(one_for_all, {kid("a"), kid("b")});
  CHECK(s.ends("a", abnormal()) == "stop b");
  CHECK(s.pass(1s) == "");
  CHECK(s.state("a") == child_state::waiting);
  CHECK(s.ends("b", well()) == "start a#2");
}

TEST_CASE("a child of the group that does not stop is killed in its time") {
  script s = running(one_for_all, {kid("a"), kid("b")});
  CHECK(s.ends("a", useful()) == "stop b");
  CHECK(s.pass(5s) == "kill b");
  CHECK(s.ends("b", abnormal("SIGKILL")) == "start a#2");
}

TEST_CASE("temporary children do not come back with their group, and are forgotten") {
  script s = running(one_for_all, {kid("a"), kid("tmp", temporary), kid("c")});
  CHECK(s.ends("a", useful()) == "stop c");
  CHECK(s.ends("c", well()) == "stop tmp");
  CHECK(s.ends("tmp", well()) == "start a#2");
  CHECK(s.state("tmp") == child_state::removed);
  CHECK(s.ready("a") == "start c#2");
}

TEST_CASE("the death of a temporary child restarts nobody") {
  script s = running(one_for_all, {kid("a"), kid("tmp", temporary), kid("c")});
  CHECK(s.ends("tmp", abnormal()) == "");
  CHECK(s.state("a") == child_state::up);
}

TEST_CASE("a transient child that had ended well comes back with its group, as in OTP") {
  script s = running(one_for_all, {kid("a"), kid("job", transient), kid("c")});
  CHECK(s.ends("job", well()) == "");
  CHECK(s.state("job") == child_state::down);
  CHECK(s.ends("c", useful()) == "stop a");
  CHECK(s.ends("a", well()) == "start a#2");
  CHECK(s.ready("a") == "start job#2");
  CHECK(s.ready("job") == "start c#2");
}

TEST_CASE("under rest_for_one a child that had ended well before the dead one stays down") {
  script s = running(rest_for_one, {kid("job", transient), kid("b"), kid("late", transient)});
  s.ends("job", well());
  s.ends("late", well());
  CHECK(s.ends("b", useful()) == "start b#2");
  CHECK(s.ready("b") == "start late#2");
  CHECK(s.state("job") == child_state::down);
}

TEST_CASE("a death among those that are about to be stopped is the end that was wanted") {
  script s = running(one_for_all, {kid("a"), kid("b"), kid("c")}, {.restarts = 1, .period = 10s});
  CHECK(s.ends("b", useful()) == "stop c");
  CHECK(s.ends("a", abnormal()) == ""); // counts as no restart
  CHECK(s.ends("c", abnormal()) == "start a#2");
  CHECK(s.ready("a") == "start b#2");
}

TEST_CASE("under rest_for_one an earlier child's death makes the group grow") {
  script s = running(rest_for_one, {kid("a"), kid("b"), kid("c"), kid("d")});
  CHECK(s.ends("c", useful()) == "stop d");
  CHECK(s.ends("a", useful()) == ""); // d is being stopped
  CHECK(s.ends("d", well()) == "stop b");
  CHECK(s.ends("b", well()) == "start a#2");
  CHECK(s.ready("a") == "start b#2");
  CHECK(s.ready("b") == "start c#2");
  CHECK(s.ready("c") == "start d#2");
}

TEST_CASE("one that cannot start counts again, and the whole group starts over") {
  script s = running(one_for_all, {at_once("a"), at_once("b"), at_once("c")},
                     {.restarts = 2, .period = 10s});
  s.ends("c", useful());
  s.ends("b", well());
  CHECK(s.ends("a", well()) == "start a#2");
  CHECK(s.ready("a") == "start b#2");
  CHECK(s.ends("b", not_started()) == "stop a");
  CHECK(s.ends("a", well()) == "start a#3");
  CHECK(s.ready("a") == "start b#3");
  CHECK(s.ends("b", not_started()) == "stop a"); // the third in 10 s
  CHECK(s.ends("a", well()) == "give_up");
}

TEST_CASE("under rest_for_one it starts over from the one that cannot start") {
  script s = running(rest_for_one, {at_once("a"), at_once("b"), at_once("c"), at_once("d")});
  CHECK(s.ends("a", useful()) == "stop d");
  s.ends("d", well());
  s.ends("c", well());
  CHECK(s.ends("b", well()) == "start a#2");
  CHECK(s.ready("a") == "start b#2");
  CHECK(s.ready("b") == "start c#2");
  CHECK(s.ends("c", not_started()) == "start c#3");
  CHECK(s.ready("c") == "start d#2");
  CHECK(s.incarnation("b") == 2);
}

TEST_CASE("one that cannot start waits by its own backoff") {
  script s = running(rest_for_one, {kid("a"), kid("b"), kid("c")});
  CHECK(s.ends("b", useful()) == "stop c");
  CHECK(s.ends("c", well()) == "start b#2");
  CHECK(s.ends("b", not_started()) == "");
  CHECK(s.pass(100ms) == "start b#3");
  CHECK(s.ends("b", not_started()) == "");
  CHECK(s.pass(199ms) == "");
  CHECK(s.pass(1ms) == "start b#4");
  CHECK(s.ready("b") == "start c#2");
}

TEST_CASE("a death while the group comes up stops what is starting, and starts over") {
  script s = running(one_for_all, {kid("a"), kid("b"), kid("c")});
  s.ends("a", useful());
  s.ends("c", well());
  CHECK(s.ends("b", well()) == "start a#2");
  CHECK(s.ready("a") == "start b#2");
  CHECK(s.ends("a", useful()) == "stop b");
  CHECK(s.ready("b") == ""); // too late
  CHECK(s.ends("b", well()) == "start a#3");
  CHECK(s.ready("a") == "start b#3");
  CHECK(s.ready("b") == "start c#2");
}

TEST_CASE("two waits of one group are both waited for") {
  script s = running(rest_for_one, {kid("a"), kid("b")});
  CHECK(s.ends("b", abnormal()) == "");
  s.pass(50ms);
  CHECK(s.ends("a", abnormal()) == "");
  CHECK(s.pass(50ms) == ""); // b's wait is over
  CHECK(s.pass(50ms) == "start a#2");
  CHECK(s.ready("a") == "start b#2");
}

TEST_CASE("a stop during the restart of a group stops what remains, and starts nothing") {
  script s = running(one_for_all, {kid("a"), kid("b"), kid("c")});
  CHECK(s.ends("b", abnormal()) == "stop c");
  CHECK(s.stop() == "");
  CHECK(s.ends("c", well()) == "stop a");
  CHECK(s.ends("a", well()) == "stopped");
  CHECK(s.pass(1h) == "");
  CHECK(s.incarnation("b") == 1);
}

TEST_CASE("kill during the restart of a group kills what remains") {
  script s = running(one_for_all, {kid("a"), kid("b"), kid("c")});
  s.ends("b", abnormal());
  CHECK(s.kill() == "kill c; kill a");
  s.ends("a", abnormal());
  CHECK(s.ends("c", abnormal()) == "stopped");
}

TEST_CASE("the end of a significant child with its group stops nothing") {
  script s{{.strategy = one_for_all,
            .intensity = {.restarts = 100},
            .auto_shutdown = auto_shutdown_policy::any_significant},
           {at_once("a"), {.id = "job", .restart = transient, .significant = true}}};
  s.boot();
  CHECK(s.ends("a", useful()) == "stop job");
  CHECK(s.ends("job", well()) == "start a#2");
  CHECK(s.ready("a") == "start job#2");
  s.ready("job");
  CHECK(s.ends("job", well()) == "stop a");
  CHECK(s.ends("a", well()) == "stopped");
}

TEST_CASE("a death during boot restarts its group, and the boot goes on with it") {
  script s{{.strategy = one_for_all}, {kid("a"), kid("b"), kid("c")}};
  s.begin();
  CHECK(s.ready("a") == "start b#1");
  CHECK(s.ends("a", useful()) == "stop b");
  CHECK(s.ends("b", well()) == "start a#2");
  CHECK(s.core().state() == supervisor_state::booting);
  CHECK(s.ready("a") == "start b#2");
  CHECK(s.ready("b") == "start c#1");
  CHECK(s.ready("c") == "up");
}

TEST_CASE("one that has never been ready and cannot start within its group fails the boot") {
  script s{{.strategy = one_for_all}, {kid("a"), kid("b")}};
  s.begin();
  s.ready("a");
  s.ends("a", useful());
  s.ends("b", well());
  s.ready("a");
  CHECK(s.ends("b", not_started()) == "stop a");
  CHECK(s.ends("a", well()) == "failed_start b: out of memory");
}

TEST_CASE("a temporary child that is stopped with its group during boot is waited for no more") {
  script s{{.strategy = one_for_all}, {kid("a"), kid("tmp", temporary), kid("never", temporary)}};
  s.begin();
  s.ready("a");
  CHECK(s.ends("a", useful()) == "stop tmp");
  CHECK(s.ends("tmp", well()) == "start a#2");
  CHECK(s.ready("a") == "start never#1"); // it had not been started: this is no restart
  CHECK(s.ready("never") == "up");
}
