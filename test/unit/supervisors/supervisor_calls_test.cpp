#include "support/catch.hpp"

#include "supervised_world.hpp"

using namespace coppice;
using namespace coppice::test;

namespace {

child_maker maker(const supervised_world& w) { return w.maker(); }

std::string code_of(const call_answer& answer) {
  return answer ? "ok" : std::string{to_string(answer.error().code)};
}

} // namespace

TEST_CASE("a child is added, stopped, restarted and deleted by messages") {
  supervised_world w;
  w.start({.id = "top", .children = {w.child({.id = "a"})}});
  int forgotten = 0;
  auto how = maker(w);
  how.forgotten = [&forgotten](unsigned number) {
    CHECK(number == 0);
    ++forgotten;
  };
  const auto added =
      w.ask({.what = calls::start_child{.spec = child_spec{.id = "b"}}, .start = how});
  REQUIRE(added);
  CHECK(std::get<child_info>(*added).id == "b");
  CHECK(std::get<child_info>(*added).state == child_state::up);
  CHECK(std::get<child_info>(*added).pid == 70);
  CHECK(w.book().take() == "start b#1");
  CHECK(code_of(w.ask({.what = calls::delete_child{"b"}})) == "running");
  CHECK(code_of(w.ask({.what = calls::stop_child{"b"}})) == "ok");
  CHECK(w.book().take() == "stop b#1");
  CHECK(code_of(w.ask({.what = calls::restart_child{"b"}})) == "ok");
  CHECK(w.book().take() == "start b#2");
  CHECK(code_of(w.ask({.what = calls::stop_child{"b"}})) == "ok");
  CHECK(forgotten == 0);
  CHECK(code_of(w.ask({.what = calls::delete_child{"b"}})) == "ok");
  CHECK(forgotten == 1);
  CHECK(code_of(w.ask({.what = calls::get_child_spec{"b"}})) == "not_found");
  CHECK(std::get<child_counts>(*w.ask({.what = calls::count_children{}})) ==
        child_counts{1, 1, 0, 1});
}

TEST_CASE("a start that throws is the answer's text") {
  supervised_world w;
  w.start({.id = "top", .children = {w.child({.id = "a"})}});
  const child_maker broken{
      [](const start_context&) -> caf::actor { throw std::runtime_error{"no such thing"}; }};
  const auto answer =
      w.ask({.what = calls::start_child{.spec = child_spec{.id = "b"}}, .start = broken});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == call_error::start_failed);
  CHECK(answer.error().text == "b: start_failed: no such thing");
  CHECK(code_of(w.ask({.what = calls::start_child{.spec = child_spec{.id = "b"}}})) ==
        "invalid_spec");
}

TEST_CASE("a call is answered when it is due, and others in between") {
  supervised_world w;
  w.start({.id = "top", .children = {w.child({.id = "a", .shutdown = 3s}, manner::stubborn)}});
  w.send({.what = calls::stop_child{"a"}});
  CHECK(w.answers() == 0);
  CHECK(code_of(w.ask({.what = calls::count_children{}})) == "ok");
  CHECK(w.answers() == 1);
  w.pass(3s);
  CHECK(w.answers() == 2);
  CHECK(code_of(w.last_answer()) == "ok");
}

TEST_CASE("a dynamic supervisor tells its children their number and their arguments") {
  supervised_world w;
  std::vector<std::string> seen;
  startable how = w.child({.id = "job"});
  how.start = [&seen, make = how.start](const start_context& c) {
    seen.push_back(c.id + "=" + std::to_string(c.number));
    for (const auto& arg : c.args) seen.back() += " " + arg;
    return make(c);
  };
  w.start({.id = "top", .dynamic = dynamic_children{how, 1}});
  CHECK(code_of(w.ask({.what = calls::start_child{.args = {"--file", "x"}}})) == "ok");
  CHECK(seen == std::vector<std::string>{"job/1=1", "job/2=2 --file x"});
  w.tell("job/2", end_now{{ending::abnormal, "SIGSEGV", true}});
  CHECK(seen.back() == "job/2=2 --file x"); // the restart is told the same
  CHECK(std::get<scaled>(*w.ask({.what = calls::scale{5}})) == scaled{2, 5});
  CHECK(w.lives("job/5"));
  w.ask({.what = calls::scale{0}});
  CHECK(w.actors() == 1);
}

TEST_CASE("a call finds a supervisor below by its path") {
  supervised_world w;
  supervisor_options inner{.children = {w.child({.id = "x"})}};
  supervisor_options middle{.children = {nested_supervisor({.id = "in"}, inner)}};
  w.start({.id = "top", .children = {nested_supervisor({.id = "mid"}, middle)}});
  const auto all = w.ask({.path = {"mid", "in"}, .what = calls::which_children{}});
  REQUIRE(all);
  CHECK(std::get<std::vector<child_info>>(*all).at(0).id == "x");
  CHECK(code_of(w.ask({.path = {"mid", "out"}, .what = calls::which_children{}})) == "not_found");
  CHECK(code_of(w.ask({.path = {"mid", "in"}, .what = calls::stop_child{"x"}})) == "ok");
  CHECK_FALSE(w.lives("x"));
  CHECK(code_of(w.ask({.what = calls::stop_child{"mid"}})) == "ok");
  CHECK(code_of(w.ask({.path = {"mid", "in"}, .what = calls::which_children{}})) ==
        "shutting_down");
}

TEST_CASE("whoever waits is answered when the supervisor is stopped, and when it is killed") {
  for (const bool killed : {false, true}) {
    supervised_world w;
    w.start({.id = "top", .children = {w.child({.id = "a"}, manner::stubborn)}});
    w.send({.what = calls::stop_child{"a"}});
    if (killed)
      w.kill_top();
    else
      w.stop(stop_how::kill);
    CHECK(w.answers() == 1);
    CHECK(code_of(w.last_answer()) == (killed ? "shutting_down" : "ok"));
    CHECK(code_of(w.ask({.what = calls::which_children{}})) == "shutting_down");
  }
}
