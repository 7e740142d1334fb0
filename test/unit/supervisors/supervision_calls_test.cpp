#include "script.hpp"
#include "support/catch.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

child_spec kid(const char* id, restart_type restart = permanent) {
  return {.id = id, .restart = restart, .backoff = exact};
}

script running(std::vector<child_spec> children, restart_strategy strategy = one_for_one) {
  script s{{.strategy = strategy, .intensity = {.restarts = 100}}, std::move(children)};
  s.boot();
  return s;
}

calls::start_child start(child_spec spec) { return {.spec = std::move(spec)}; }

} // namespace

TEST_CASE("start_child adds a child, and answers when it is ready") {
  script s = running({kid("a")});
  CHECK(s.ask(start(kid("b"))) == "start b#1");
  CHECK(s.ready("b") == "1: b#1 up");
  CHECK(s.stop() == "stop b"); // it is the last in start order
}

TEST_CASE("a child that is started by a call and fails is forgotten, and counts no restart") {
  script s{{.intensity = {.restarts = 0}}, {kid("a")}};
  s.boot();
  s.ask(start(kid("b")));
  CHECK(s.ends("b", not_started("no such file")) == "1: start_failed");
  CHECK(s.failures().back() == "b: start_failed: no such file");
  CHECK(s.state("b") == child_state::removed);
  CHECK(s.ask(start(kid("b"))) == "start b#1");
  CHECK(s.ends("b", abnormal()) == "2: start_failed");
  CHECK(s.core().state() == supervisor_state::running);
}

TEST_CASE("so is one that is not ready in time") {
  script s = running({kid("a")});
  child_spec slow = kid("b");
  slow.ready_timeout = 5s;
  s.ask(start(slow));
  CHECK(s.pass(5s) == "kill b");
  CHECK(s.ends("b", abnormal("SIGKILL")) == "1: start_failed");
  CHECK(s.state("b") == child_state::removed);
}

TEST_CASE("after its first start it is a child like any other") {
  script s = running({kid("a")});
  s.ask(start(kid("b")));
  s.ready("b");
  CHECK(s.ends("b", useful()) == "start b#2");
  CHECK(s.ends("b", not_started()) == "");
  CHECK(s.state("b") == child_state::backing_off);
}

TEST_CASE("a job that is done before it was ready has been started") {
  script s = running({kid("a")});
  s.ask(start(kid("job", transient)));
  CHECK(s.ends("job", well()) == "1: job#1 down");
  CHECK(s.state("job") == child_state::down);
}

TEST_CASE("an id that is known is refused: already_started or already_present") {
  script s = running({kid("a"), kid("b", transient), kid("c")});
  s.ends("b", well());
  s.ends("c", abnormal());
  CHECK(s.ask(start(kid("a"))) == "1: already_started");
  CHECK(s.ask(start(kid("b"))) == "2: already_present");
  CHECK(s.ask(start(kid("c"))) == "3: already_present"); // restarting
  CHECK(s.failures().front() == "start_child a: already_started");
}

TEST_CASE("a spec that is not valid is refused") {
  script s = running({kid("a")});
  CHECK(s.ask(start(kid(""))) == "1: invalid_spec");
  child_spec bad = kid("b", transient);
  bad.significant = true;
  CHECK(s.ask(start(bad)) == "2: invalid_spec");
  CHECK(s.failures().back() == "start_child b: invalid_spec: child \"b\": significant = true: means"
                               " nothing while auto_shutdown is never");
  CHECK(s.ask(calls::start_child{}) == "3: invalid_spec");
  bad.id = "a"; // both are wrong: the spec is looked at first, as in OTP
  CHECK(s.ask(start(bad)) == "4: invalid_spec");
}

TEST_CASE("stop_child answers when the child has ended, and keeps its spec") {
  script s = running({kid("a"), kid("b")});
  CHECK(s.ask(calls::stop_child{"a"}) == "stop a");
  CHECK(s.ask(calls::count_children{}) == "2: 2 specs, 2 active, 0 supervisors, 2 workers");
  CHECK(s.ends("a", abnormal("SIGTERM")) == "1: ok");
  CHECK(s.state("a") == child_state::down);
  CHECK(s.pass(1h) == "");
  CHECK(s.ask(calls::stop_child{"a"}) == "3: ok"); // there is nothing to stop
}

TEST_CASE("stop_child kills in its time, and two calls get two answers") {
  script s = running({kid("a")});
  s.ask(calls::stop_child{"a"});
  CHECK(s.ask(calls::stop_child{"a"}) == "");
  CHECK(s.pass(5s) == "kill a");
  CHECK(s.ends("a", abnormal("SIGKILL")) == "1: ok; 2: ok");
}

TEST_CASE("stop_child of a temporary child forgets it") {
  script s = running({kid("a", temporary)});
  s.ask(calls::stop_child{"a"});
  CHECK(s.ends("a", well()) == "1: ok");
  CHECK(s.ask(calls::stop_child{"a"}) == "2: not_found");
}

TEST_CASE("stop_child of one that waits for its restart drops the restart") {
  script s = running({kid("a")});
  s.ends("a", abnormal());
  CHECK(s.ask(calls::stop_child{"a"}) == "1: ok");
  CHECK(s.pass(1h) == "");
  CHECK(s.state("a") == child_state::down);
}

TEST_CASE("stop_child of one that is starting fails whoever waits for the start") {
  script s = running({kid("a")});
  s.ask(start(kid("b")));
  CHECK(s.ask(calls::stop_child{"b"}) == "stop b");
  CHECK(s.ends("b", well()) == "1: start_failed; 2: ok");
  CHECK(s.failures().back() == "b: start_failed: stopped before it was ready");
}

TEST_CASE("restart_child starts what is down, and nothing else") {
  script s = running({kid("a"), kid("b"), kid("c")});
  s.ends("b", abnormal());
  CHECK(s.ask(calls::restart_child{"a"}) == "1: running");
  CHECK(s.ask(calls::restart_child{"b"}) == "2: restarting");
  CHECK(s.ask(calls::restart_child{"x"}) == "3: not_found");
  CHECK(s.ask(calls::stop_child{"c"}) == "stop c");
  CHECK(s.ask(calls::restart_child{"c"}) == "5: running");
  s.ends("c", well());
  CHECK(s.ask(calls::restart_child{"c"}) == "start c#2");
  CHECK(s.ready("c") == "6: c#2 up");
}

TEST_CASE("one that fails to restart by a call stays down, and counts no restart") {
  script s{{.intensity = {.restarts = 0}}, {kid("a"), kid("b")}};
  s.boot();
  s.ask(calls::stop_child{"b"});
  s.ends("b", well());
  s.ask(calls::restart_child{"b"});
  CHECK(s.ends("b", not_started()) == "2: start_failed");
  CHECK(s.state("b") == child_state::down);
}

TEST_CASE("delete_child forgets what is down, and nothing else") {
  script s = running({kid("a"), kid("b"), kid("c")});
  s.ends("b", abnormal());
  CHECK(s.ask(calls::delete_child{"a"}) == "1: running");
  CHECK(s.ask(calls::delete_child{"b"}) == "2: restarting");
  CHECK(s.ask(calls::delete_child{"x"}) == "3: not_found");
  s.ask(calls::stop_child{"c"});
  s.ends("c", well());
  CHECK(s.ask(calls::delete_child{"c"}) == "5: ok");
  CHECK(s.ask(calls::delete_child{"c"}) == "6: not_found");
  CHECK(s.ask(start(kid("c"))) == "start c#1"); // a new child
}

TEST_CASE("which_children names all in start order, count_children counts them") {
  script s = running(
      {kid("a"), kid("b", transient), kid("c"), {.id = "d", .type = child_type::supervisor}});
  s.ends("b", well());
  s.ends("c", abnormal());
  CHECK(s.ask(calls::which_children{}) == "1: a#1 up, b#1 down, c#1 backing_off, d#1 up");
  CHECK(s.ask(calls::count_children{}) == "2: 4 specs, 2 active, 1 supervisors, 3 workers");
  CHECK(s.ask(calls::get_child_spec{"d"}) == "3: spec of d");
  CHECK(s.ask(calls::get_child_spec{"x"}) == "4: not_found");
}

TEST_CASE("a child that was stopped by a call comes back with its group, as in OTP") {
  script s = running({kid("a"), kid("b"), kid("c")}, one_for_all);
  s.ask(calls::stop_child{"b"});
  CHECK(s.ends("b", well()) == "1: ok");
  CHECK(s.ends("c", useful()) == "stop a");
  CHECK(s.ends("a", well()) == "start a#2");
  CHECK(s.ready("a") == "start b#2");
}

TEST_CASE("one that is stopped by a call while its group goes down does not come back with it") {
  script s = running({kid("a"), kid("b"), kid("c")}, one_for_all);
  s.ends("a", useful());
  CHECK(s.ask(calls::stop_child{"b"}) == ""); // its turn comes
  CHECK(s.ends("c", well()) == "stop b");
  CHECK(s.ends("b", well()) == "1: ok; start a#2");
  CHECK(s.ready("a") == "start c#2");
  CHECK(s.state("b") == child_state::down);
}

TEST_CASE("the dead child itself may be stopped while its group waits for it: the rest start") {
  script s = running({kid("a"), kid("b")}, one_for_all);
  s.ends("a", abnormal());
  s.ends("b", well());
  CHECK(s.state("a") == child_state::backing_off);
  CHECK(s.ask(calls::stop_child{"a"}) == "1: ok; start b#2");
  CHECK(s.state("a") == child_state::down);
}

TEST_CASE("a child that is added while its group goes down starts with it, in its turn") {
  script s = running({kid("a"), kid("b")}, rest_for_one);
  CHECK(s.ends("a", useful()) == "stop b");
  CHECK(s.ask(start(kid("c"))) == "");
  CHECK(s.ends("b", well()) == "start a#2");
  CHECK(s.ready("a") == "start b#2");
  CHECK(s.ready("b") == "start c#1");
  CHECK(s.ready("c") == "1: c#1 up");
}

TEST_CASE("one that is stopped before its turn to start has come is not started") {
  script s{{}, {kid("a"), kid("b"), kid("c")}};
  s.begin();
  CHECK(s.ask(calls::stop_child{"b"}) == "1: ok");
  CHECK(s.ready("a") == "start c#1");
  CHECK(s.ready("c") == "up");
  CHECK(s.ask(calls::restart_child{"b"}) == "start b#1");
}

TEST_CASE("a child that is added during boot starts after those of the spec") {
  script s{{}, {kid("a"), kid("b")}};
  s.begin();
  CHECK(s.ask(start(kid("c"))) == "");
  CHECK(s.ready("a") == "start b#1");
  CHECK(s.ready("b") == "start c#1; up");
  CHECK(s.ends("c", not_started()) == "1: start_failed"); // no boot failure
}

TEST_CASE("the end of a significant child by a call shuts nothing down") {
  script s{{.auto_shutdown = auto_shutdown_policy::any_significant},
           {kid("a"), {.id = "job", .restart = transient, .significant = true}}};
  s.boot();
  s.ask(calls::stop_child{"job"});
  CHECK(s.ends("job", well()) == "1: ok");
  CHECK(s.core().state() == supervisor_state::running);
}

TEST_CASE("whoever waits for an answer gets one when the supervisor ends, and later ones too") {
  script s = running({kid("a"), kid("b")});
  s.ask(start(kid("c")));
  s.ask(calls::stop_child{"a"});
  CHECK(s.stop() == "stop c");
  CHECK(s.ask(calls::which_children{}) == "3: shutting_down");
  CHECK(s.ends("c", well()) == "1: start_failed; stop b");
  CHECK(s.ends("a", well()) == "2: ok");
  CHECK(s.ends("b", well()) == "stopped");
  CHECK(s.ask(calls::stop_child{"a"}) == "4: shutting_down");
}

TEST_CASE("scale is for dynamic supervisors") {
  script s = running({kid("a")});
  CHECK(s.ask(calls::scale{3}) == "1: not_dynamic");
}
