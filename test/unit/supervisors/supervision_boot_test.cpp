#include "script.hpp"
#include "support/catch.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

std::vector<child_spec> abc(restart_type restart = permanent) {
  return {{.id = "a", .restart = restart, .backoff = exact},
          {.id = "b", .restart = restart, .backoff = exact},
          {.id = "c", .restart = restart, .backoff = exact}};
}

} // namespace

TEST_CASE("children start in order, each when the one before is ready") {
  script s{{}, abc()};
  CHECK(s.begin() == "start a#1");
  CHECK(s.ready("a") == "start b#1");
  CHECK(s.ready("b") == "start c#1");
  CHECK(s.core().state() == supervisor_state::booting);
  CHECK(s.ready("c") == "up");
  CHECK(s.core().state() == supervisor_state::running);
}

TEST_CASE("a supervisor without children is up at once") {
  script s{{}, {}};
  CHECK(s.begin() == "up");
  CHECK(s.stop() == "stopped");
}

TEST_CASE("it begins once") {
  script s{{}, abc()};
  s.begin();
  CHECK(s.begin() == "");
}

TEST_CASE("a start failure at boot stops those before in reverse order and fails with its reason") {
  script s{{}, abc()};
  s.begin();
  s.ready("a");
  s.ready("b");
  CHECK(s.ends("c", not_started("bind tcp://*:80: Permission denied")) == "stop b");
  CHECK(s.ends("b", well()) == "stop a");
  CHECK(s.ends("a", well()) == "failed_start c: bind tcp://*:80: Permission denied");
  CHECK(s.core().state() == supervisor_state::ended);
}

TEST_CASE(
    "a child that dies before it was ever ready at boot is a boot failure, not a crash loop") {
  script s{{}, abc()};
  s.begin();
  CHECK(s.ends("a", abnormal("exit code 3")) == "failed_start a: exit code 3, before it was ready");
}

TEST_CASE("so is a permanent child that ends well before it was ready") {
  script s{{}, abc()};
  s.begin();
  CHECK(s.ends("a", well()) == "failed_start a: exit code 0, before it was ready");
}

TEST_CASE("a transient or temporary child may be done before it was ready: boot goes on") {
  for (const restart_type restart : {transient, temporary}) {
    script s{{}, abc(restart)};
    s.begin();
    CHECK(s.ends("a", well()) == "start b#1");
    s.ready("b");
    CHECK(s.ready("c") == "up");
  }
}

TEST_CASE("a temporary child that fails at boot fails the boot, as in OTP") {
  script s{{}, abc(temporary)};
  s.begin();
  s.ready("a");
  CHECK(s.ends("b", abnormal("exit code 1")) == "stop a");
  CHECK(s.ends("a", well()) == "failed_start b: exit code 1, before it was ready");
}

TEST_CASE("a ready timeout at boot kills the child, and its end is a failed start") {
  std::vector<child_spec> children = abc();
  children[1].ready_timeout = 5s;
  script s{{}, children};
  s.begin();
  s.ready("a");
  CHECK(s.pass(4'999ms) == "");
  CHECK(s.pass(1ms) == "kill b");
  CHECK(s.state("b") == child_state::timing_out);
  CHECK(s.ready("b") == ""); // too late
  CHECK(s.ends("b", abnormal("SIGKILL")) == "stop a");
  CHECK(s.ends("a", well()) == "failed_start b: not ready within 5 s");
  CHECK(s.child("b").deaths.last().ending.how == ending::start_failed);
}

TEST_CASE("a child that was up and dies during boot is restarted, and boot goes on") {
  script s{{}, abc()};
  s.begin();
  s.ready("a");
  CHECK(s.ends("a", useful()) == "start a#2");
  CHECK(s.ready("b") == ""); // a is starting: one at a time
  CHECK(s.ready("a") == "start c#1");
  CHECK(s.ready("c") == "up");
}

TEST_CASE("a child that was up at boot and then cannot restart is no boot failure") {
  script s{{}, abc()};
  s.begin();
  s.ready("a");
  s.ends("a", useful());
  CHECK(s.ends("a", not_started()) == "");
  CHECK(s.state("a") == child_state::backing_off);
  CHECK(s.ready("b") == "start c#1");
  CHECK(s.ready("c") == "up");
}

TEST_CASE("intensity that is exceeded during boot gives up") {
  script s{{.intensity = {.restarts = 0}}, abc()};
  s.begin();
  s.ready("a");
  CHECK(s.ends("a", useful()) == "stop b");
  CHECK(s.ends("b", well()) == "give_up");
}

TEST_CASE("a stop during boot stops what has started, in reverse order") {
  script s{{}, abc()};
  s.begin();
  s.ready("a");
  CHECK(s.stop() == "stop b");
  CHECK(s.ready("b") == "");
  CHECK(s.ends("b", well()) == "stop a");
  CHECK(s.ends("a", well()) == "stopped");
  CHECK(s.state("c") == child_state::down);
}

TEST_CASE("a stop before the beginning ends it") {
  script s{{}, abc()};
  CHECK(s.stop() == "stopped");
  CHECK(s.begin() == "");
}

TEST_CASE("words of another incarnation, and of unknown children, change nothing") {
  script s{{}, abc()};
  s.begin();
  CHECK(s.play(supervising::child_ready{0, 7}) == "");
  CHECK(s.play(supervising::child_ready{99, 1}) == "");
  CHECK(s.play(supervising::child_ended{99, 1, well()}) == "");
  CHECK(s.play(supervising::timer_due{{99, 1}}) == "");
  CHECK(s.play(supervising::child_ended{0, 0, well()}) == "");
  CHECK(s.state("a") == child_state::starting);
  s.ready("a");
  s.ends("a", useful());
  CHECK(s.play(supervising::child_ended{0, 1, abnormal()}) == ""); // said twice
  CHECK(s.incarnation("a") == 2);
}
