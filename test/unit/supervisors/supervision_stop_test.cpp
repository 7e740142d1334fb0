#include "script.hpp"
#include "support/catch.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

script running(std::vector<child_spec> children, supervisor_spec spec = {}) {
  script s{spec, std::move(children)};
  s.boot();
  return s;
}

} // namespace

TEST_CASE("a stop asks the children in reverse order, each when the one after it has ended") {
  script s = running({{.id = "a"}, {.id = "b"}, {.id = "c"}});
  CHECK(s.stop() == "stop c");
  CHECK(s.stop() == "");
  CHECK(s.ends("c", well()) == "stop b");
  CHECK(s.ends("b", well()) == "stop a");
  CHECK(s.ends("a", well()) == "stopped");
  CHECK(s.stop() == "");
}

TEST_CASE("a child that does not stop in its time is killed, and the stop goes on") {
  script s = running({{.id = "a"}, {.id = "b", .shutdown = 3s}});
  CHECK(s.stop() == "stop b");
  CHECK(s.pass(2'999ms) == "");
  CHECK(s.pass(1ms) == "kill b");
  CHECK(s.ends("b", abnormal("SIGKILL")) == "stop a");
  CHECK(to_text(s.last_report()) ==
        "b (incarnation 1, pid 70): did not stop well: killed: SIGKILL");
  CHECK(s.pass(5s) == "kill a"); // the default of workers
  CHECK(s.ends("a", abnormal("SIGKILL")) == "stopped");
}

TEST_CASE("brutal_kill does not ask") {
  script s = running({{.id = "a", .shutdown = brutal_kill}});
  CHECK(s.stop() == "kill a");
  CHECK(s.ends("a", abnormal("SIGKILL")) == "stopped");
}

TEST_CASE("infinity waits, for supervisors by default") {
  script s =
      running({{.id = "a", .shutdown = infinity}, {.id = "b", .type = child_type::supervisor}});
  CHECK(s.stop() == "stop b");
  CHECK(s.pass(100h) == "");
  CHECK(s.ends("b", well()) == "stop a");
  CHECK(s.pass(100h) == "");
  CHECK(s.ends("a", well()) == "stopped");
}

TEST_CASE("a child that is starting is asked, too, and its readiness comes too late") {
  script s = running({{.id = "a"}});
  s.ends("a", useful());
  CHECK(s.stop() == "stop a");
  CHECK(s.ready("a") == "");
  CHECK(s.pass(60s) == "kill a"); // by shutdown, not by the ready timeout
  CHECK(s.ends("a", abnormal()) == "stopped");
}

TEST_CASE("a child that is backing off is not waited for") {
  script s = running({{.id = "a", .backoff = exact}});
  s.ends("a", abnormal());
  CHECK(s.stop() == "stopped");
  CHECK(s.pass(1h) == "");
  CHECK(s.incarnation("a") == 1);
}

TEST_CASE("a child that is killed for its late start is waited for, not asked") {
  script s = running({{.id = "a", .ready_timeout = 1s}});
  s.ends("a", useful());
  CHECK(s.pass(1s) == "kill a");
  CHECK(s.stop() == "");
  CHECK(s.ends("a", abnormal("SIGKILL")) == "stopped");
}

TEST_CASE("a child that dies while another one stops is not restarted") {
  script s = running({{.id = "a"}, {.id = "b"}});
  CHECK(s.stop() == "stop b");
  CHECK(s.ends("a", abnormal()) == "");
  CHECK(s.ends("b", well()) == "stopped");
}

TEST_CASE("a child that becomes ready before it is asked makes nobody else start") {
  script s{{}, {{.id = "a"}, {.id = "b"}, {.id = "c"}}};
  s.begin();
  s.ready("a");
  s.ends("a", useful());
  CHECK(s.stop() == "stop b");
  CHECK(s.ready("a") == "");
  CHECK(s.state("a") == child_state::up);
  CHECK(s.ends("b", well()) == "stop a");
  CHECK(s.ends("a", well()) == "stopped");
}

TEST_CASE("hurry brings the deadlines of the whole stop forward") {
  script s = running({{.id = "a", .shutdown = 25s}, {.id = "b", .shutdown = infinity}});
  CHECK(s.stop() == "stop b");
  s.pass(100s);
  CHECK(s.hurry(2s) == "hurry b");
  CHECK(s.pass(1'999ms) == "");
  CHECK(s.pass(1ms) == "kill b");
  CHECK(s.ends("b", abnormal("SIGKILL")) == "hurry a");
  CHECK(s.pass(1ms) == "kill a"); // the time is over for all
  CHECK(s.ends("a", abnormal("SIGKILL")) == "stopped");
}

TEST_CASE("hurry never puts a deadline off, and a second one neither") {
  script s = running({{.id = "a", .shutdown = 1s}});
  s.stop();
  CHECK(s.hurry(2s) == "hurry a");
  CHECK(s.hurry(10s) == "hurry a");
  CHECK(s.pass(1s) == "kill a");
}

TEST_CASE("hurry on a running supervisor is a stop") {
  script s = running({{.id = "a", .shutdown = 25s}});
  CHECK(s.hurry(2s) == "hurry a");
  CHECK(s.pass(2s) == "kill a");
}

TEST_CASE("kill kills all children at once and waits for their ends") {
  script s = running({{.id = "a"}, {.id = "b", .backoff = exact}, {.id = "c"}, {.id = "d"}});
  s.ends("b", abnormal());
  CHECK(s.kill() == "kill d; kill c; kill a");
  CHECK(s.ends("a", abnormal("SIGKILL")) == "");
  CHECK(s.ends("d", abnormal("SIGKILL")) == "");
  CHECK(s.ends("c", abnormal("SIGKILL")) == "stopped");
}

TEST_CASE("kill during a stop kills those that remain") {
  script s = running({{.id = "a"}, {.id = "b", .shutdown = infinity}});
  CHECK(s.stop() == "stop b");
  CHECK(s.kill() == "kill b; kill a");
  s.ends("a", abnormal());
  CHECK(s.ends("b", abnormal()) == "stopped");
}

TEST_CASE("an end that was asked for counts as well, but one that went wrong is reported") {
  script s = running({{.id = "a", .restart = transient}});
  s.stop();
  CHECK(s.ends("a", abnormal("exit code 1")) == "stopped");
  CHECK(to_text(s.last_report()) == "a (incarnation 1, pid 70): did not stop well: exit code 1");
  CHECK(s.child("a").deaths.last().asked);
}

TEST_CASE("while a child stops, every other event is still answered") {
  script s = running({{.id = "a"}, {.id = "b"}});
  s.stop();
  CHECK(s.play(supervising::child_ready{0, 1}) == "");
  CHECK(s.play(supervising::begin{}) == "");
  CHECK(s.play(supervising::timer_due{{0, 12345}}) == "");
  CHECK(s.ends("b", well()) == "stop a");
}

TEST_CASE("after its end nothing happens any more") {
  script s = running({{.id = "a"}});
  s.stop();
  s.ends("a", well());
  CHECK(s.begin() == "");
  CHECK(s.stop() == "");
  CHECK(s.kill() == "");
  CHECK(s.hurry(1s) == "");
  CHECK(s.ends("a", abnormal()) == "");
}

TEST_CASE("giving up and stopping at the same time still says that it gave up") {
  script s = running({{.id = "a"}, {.id = "b"}}, {.intensity = {.restarts = 0}});
  CHECK(s.ends("b", useful()) == "stop a");
  CHECK(s.stop() == "");
  CHECK(s.ends("a", well()) == "give_up");
}
