// Programs that are added to a running tree, and taken out of it.
#include "unit/program/program_tree.hpp"

#include <coppice/actors/actor_child.hpp>

#include <csignal>

namespace coppice {

using namespace test;

namespace {

/// What a call answers, as one word.
template <class T>
std::string word(const call_result<T>& said) {
  if (!said) return std::string{to_string(said.error().code)} + ": " + said.error().text;
  if constexpr (std::is_same_v<T, child_info>)
    return said->id + " is " + std::string{to_string(said->state)};
  else
    return "ok";
}

std::string start(tree& it, const program& what, const std::string& where = "") {
  std::optional<std::string> answer;
  it.calls().start_child(where, what, [&](const auto& said) { answer = word(said); });
  it.until([&] { return answer.has_value(); });
  return *answer;
}

} // namespace

TEST_CASE("a program is added to a running supervisor, and supervised from then on") {
  tree it{{helper("old", {})}};
  it.until_up();
  CHECK(start(it, helper("new", {"nap=20", "notify"}).ready(ready_when::notifies)) == "new is up");
  const auto first = it.child_named("new");
  REQUIRE(first.pid > 0);
  REQUIRE(::kill(first.pid, SIGKILL) == 0);
  it.until([&] {
    const auto now = it.child_named("new");
    return now.state == child_state::up && now.incarnation == 2 && now.pid != first.pid;
  });
  CHECK(start(it, helper("new", {})) == "already_started: start_child new: already_started");

  std::string answers;
  it.calls().stop_child("", "new", [&](const auto& said) { answers += word(said); });
  it.until([&] { return !answers.empty(); });
  CHECK(start(it, helper("new", {})) == "already_present: start_child new: already_present");
  it.calls().delete_child("", "new", [&](const auto& said) { answers += " " + word(said); });
  it.until([&] { return answers == "ok ok"; });
  CHECK(it.children().size() == 1);
  CHECK(it.stop() == 0);
}

TEST_CASE("what an added program leaves running is reaped, too") {
  tree it{{actor("none", [](caf::actor_system& system) {
    return port::spawn_state<silent_actor>(system);
  })}}; // no program in the spec
  it.until_up();
  CHECK(start(it, helper("it", {"daemon"}).restart(temporary)).starts_with("it is"));
  it.until_logged("it: left process");
  CHECK(it.stop() == 0);
  CHECK(has_no_children());
}

TEST_CASE("an added program that cannot be started, or is never ready, is forgotten") {
  tree it{{helper("old", {})}};
  it.until_up();
  CHECK(start(it, program{"new", "/nonexistent/program"})
            .starts_with("start_failed: new: start_failed: start /nonexistent/program: No such "
                         "file or directory"));
  CHECK(start(it, helper("new", {}).ready(ready_when::notifies).ready_timeout(50ms))
            .starts_with("start_failed: new: start_failed: "));
  CHECK(it.children().size() == 1);
  CHECK(it.stop() == 0);
}

TEST_CASE("an added program that is not valid is refused, with what is wrong") {
  tree it{{helper("old", {})}};
  it.until_up();
  CHECK(start(it, program{"new", ""}) ==
        "invalid_spec: start_child new: invalid_spec: child \"new\": executable = : is empty: there"
        " is nothing to run");
  CHECK(start(it, helper("new", {}).backoff({.first = 2s, .max = 1s})) ==
        "invalid_spec: start_child new: invalid_spec: child \"new\": backoff.max = 1 s: is below"
        " backoff.first (2 s)");
  CHECK(start(it, helper("new", {}), "nowhere").starts_with("not_found: "));
  CHECK(it.stop() == 0);
}

} // namespace coppice
