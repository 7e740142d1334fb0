#include "script.hpp"
#include "support/catch.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

child_template made_of(unsigned initial, unsigned max = 100, restart_type restart = permanent) {
  return {{.id = "web", .restart = restart, .backoff = exact}, initial, max};
}

const supervisor_spec at_once{
    .intensity = {.restarts = 100}, .parallel_start = true, .max_starting = 100};

script running(child_template dynamic, supervisor_spec spec = at_once) {
  script s = script::dynamic(spec, std::move(dynamic));
  s.boot();
  return s;
}

} // namespace

TEST_CASE("a dynamic supervisor starts what its template says, numbered from 1") {
  script s = script::dynamic(at_once, made_of(3));
  CHECK(s.begin() == "start web/1#1; start web/2#1; start web/3#1");
  s.ready("web/1");
  s.ready("web/2");
  CHECK(s.ready("web/3") == "up");
}

TEST_CASE("without initial children it is up at once") {
  script s = script::dynamic(at_once, made_of(0));
  CHECK(s.begin() == "up");
}

TEST_CASE("a dynamic child that cannot start at boot fails the boot") {
  script s = script::dynamic(at_once, made_of(1));
  s.begin();
  CHECK(s.ends("web/1", not_started()) == "failed_start web/1: out of memory");
}

TEST_CASE("start_child makes one more, with the lowest number that is free") {
  script s = running(made_of(2));
  CHECK(s.ask(calls::start_child{}) == "start web/3#1");
  CHECK(s.ready("web/3") == "1: web/3#1 up");
  s.ask(calls::stop_child{"web/2"});
  CHECK(s.ends("web/2", well()) == "2: ok");
  CHECK(s.state("web/2") == child_state::removed);
  CHECK(s.ask(calls::start_child{}) == "start web/2#1");
}

TEST_CASE("a number is taken until its child is really gone") {
  script s = running(made_of(2));
  s.ask(calls::stop_child{"web/1"});
  CHECK(s.ask(calls::start_child{}) == "start web/3#1");
}

TEST_CASE("a spec, or a call for static children, is refused") {
  script s = running(made_of(1));
  CHECK(s.ask(calls::start_child{.spec = child_spec{.id = "x"}}) == "1: invalid_spec");
  CHECK(s.ask(calls::restart_child{"web/1"}) == "2: dynamic_child");
  CHECK(s.ask(calls::delete_child{"web/1"}) == "3: dynamic_child");
  CHECK(s.ask(calls::get_child_spec{"web/1"}) == "4: spec of web/1");
}

TEST_CASE("there are never more than max_children") {
  script s = running(made_of(1, 2));
  CHECK(s.ask(calls::start_child{}) == "start web/2#1");
  CHECK(s.ask(calls::start_child{}) == "2: max_children");
  CHECK(s.ask(calls::scale{3}) == "3: max_children");
  CHECK(s.core().children().size() == 2);
}

TEST_CASE("a dynamic child that has ended for good is forgotten") {
  script s = running(made_of(3, 100, transient));
  CHECK(s.ends("web/1", well()) == "");
  CHECK(s.state("web/1") == child_state::removed);
  CHECK(s.ends("web/2", useful()) == "start web/2#2");
  CHECK(s.ask(calls::count_children{}) == "1: 2 specs, 2 active, 0 supervisors, 2 workers");
}

TEST_CASE("dynamic children stop at once, under one deadline") {
  script s = running(made_of(3));
  CHECK(s.stop() == "stop web/3; stop web/2; stop web/1");
  CHECK(s.ends("web/2", well()) == "");
  CHECK(s.pass(5s) == "kill web/3; kill web/1");
  s.ends("web/1", abnormal());
  CHECK(s.ends("web/3", abnormal()) == "stopped");
}

TEST_CASE("scale up starts more, as many at a time as may be starting") {
  supervisor_spec two_at_a_time = at_once;
  two_at_a_time.max_starting = 2;
  script s = running(made_of(1), two_at_a_time);
  CHECK(s.ask(calls::scale{4}) == "1: 1 to 4; start web/2#1; start web/3#1");
  CHECK(s.ready("web/2") == "start web/4#1");
}

TEST_CASE("scale down stops those with the highest numbers, together, and forgets them") {
  script s = running(made_of(4));
  CHECK(s.ask(calls::scale{2}) == "stop web/4; stop web/3; 1: 4 to 2");
  CHECK(s.ask(calls::scale{2}) == "2: 2 to 2"); // it is so already
  CHECK(s.ends("web/3", well()) == "");
  CHECK(s.pass(5s) == "kill web/4");
  CHECK(s.ends("web/4", abnormal("SIGKILL")) == "");
  CHECK(s.ask(calls::which_children{}) == "3: web/1#1 up, web/2#1 up");
}

TEST_CASE("scale down to nothing and up again") {
  script s = running(made_of(2));
  s.ask(calls::scale{0});
  s.ends("web/1", well());
  s.ends("web/2", well());
  CHECK(s.core().state() == supervisor_state::running);
  CHECK(s.ask(calls::scale{1}) == "2: 0 to 1; start web/1#1");
}

TEST_CASE("scale drops the children that wait for a restart or for their turn") {
  supervisor_spec one_at_a_time = at_once;
  one_at_a_time.max_starting = 1;
  script s = running(made_of(3), one_at_a_time);
  s.ends("web/3", abnormal());
  s.ends("web/1", useful()); // starting
  s.ends("web/2", useful()); // waits for it
  CHECK(s.ask(calls::scale{1}) == "1: 3 to 1");
  CHECK(s.pass(1h) == "kill web/1"); // not ready in time
  CHECK(s.core().children().size() == 1);
}

TEST_CASE("a child that scale adds and that cannot start is tried again, like any other") {
  script s = running(made_of(1));
  s.ask(calls::scale{2});
  CHECK(s.ends("web/2", not_started()) == "");
  CHECK(s.pass(100ms) == "start web/2#2");
}

TEST_CASE("the last significant dynamic child's end shuts down") {
  supervisor_spec all = at_once;
  all.auto_shutdown = auto_shutdown_policy::all_significant;
  child_template jobs = made_of(2, 100, temporary);
  jobs.spec.significant = true;
  script s = running(jobs, all);
  CHECK(s.ends("web/1", well()) == "");
  CHECK(s.ends("web/2", well()) == "stopped");
}
