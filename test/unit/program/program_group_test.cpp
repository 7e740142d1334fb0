// Groups of programs and actors: who is started anew with whom, seen by pids and start times of
// real processes.
#include "unit/program/program_tree.hpp"

#include <coppice/actors/actor_child.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

namespace coppice {

using namespace test;

namespace {

/// When a process was started, in clock ticks since boot: proc_pid_stat(5), field 22.
long long started_at(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto end_of_name = text.rfind(')');
  REQUIRE(end_of_name != std::string::npos);
  std::istringstream rest{text.substr(end_of_name + 2)};
  std::string word;
  for (int field = 3; field < 22; ++field) rest >> word;
  long long ticks = 0;
  rest >> ticks;
  return ticks;
}

std::map<std::string, child_info> by_name(tree& it) {
  std::map<std::string, child_info> all;
  for (child_info& each : it.children()) all[each.id] = std::move(each);
  return all;
}

/// One program before an actor, two behind it; `victim` is killed. Says who came back anew.
std::string renewed(restart_strategy strategy, const std::string& victim) {
  int made = 0;
  const auto factory = [&](caf::actor_system& system) {
    ++made;
    return port::spawn_state<silent_actor>(system);
  };
  tree it{{helper("first", {}), actor("stats", factory), helper("second", {}), helper("third", {})},
          strategy};
  it.until_up();
  const auto before = by_name(it);
  REQUIRE(::kill(before.at(victim).pid, SIGKILL) == 0);
  std::map<std::string, child_info> after;
  it.until([&] {
    after = by_name(it);
    return after.at(victim).incarnation == 2 && std::ranges::all_of(after, [](const auto& each) {
             return each.second.state == child_state::up;
           });
  });
  std::string who;
  for (const auto& [name, child] : after) {
    const auto& old = before.at(name);
    const bool anew = child.incarnation == 2;
    CHECK((child.incarnation == 1 || anew));
    if (anew) who += name + " ";
    if (name == "stats") {
      CHECK(made == (anew ? 2 : 1));
      continue;
    }
    CHECK((child.pid != old.pid) == anew);
  }
  // Those that came back together came back in the order of the spec.
  long long last = 0;
  for (const char* name : {"first", "second", "third"})
    if (after.at(name).incarnation == 2) {
      const auto ticks = started_at(after.at(name).pid);
      CHECK(ticks >= last);
      last = ticks;
    }
  CHECK(it.stop() == 0);
  return who;
}

} // namespace

TEST_CASE("one_for_one: only the one that died is a new process") {
  CHECK(renewed(one_for_one, "second") == "second ");
}

TEST_CASE("one_for_all: every program and the actor are new") {
  CHECK(renewed(one_for_all, "first") == "first second stats third ");
  CHECK(renewed(one_for_all, "third") == "first second stats third ");
}

TEST_CASE("rest_for_one: those before the one that died are the same processes") {
  CHECK(renewed(rest_for_one, "first") == "first second stats third ");
  CHECK(renewed(rest_for_one, "second") == "second third ");
  CHECK(renewed(rest_for_one, "third") == "third ");
}

TEST_CASE("an actor that ends takes the programs of its group with it") {
  caf::actor latest;
  const auto factory = [&](caf::actor_system& system) {
    latest = port::spawn_state<silent_actor>(system);
    return latest;
  };
  {
    tree it{{helper("first", {}), actor("stats", factory), helper("second", {})}, rest_for_one};
    it.until_up();
    const auto before = by_name(it);
    caf::anon_send_exit(latest, caf::exit_reason::kill);
    std::map<std::string, child_info> after;
    it.until([&] {
      after = by_name(it);
      return after.at("second").incarnation == 2 && after.at("second").state == child_state::up;
    });
    CHECK(after.at("first").pid == before.at("first").pid);
    CHECK(after.at("second").pid != before.at("second").pid);
    CHECK(it.stop() == 0);
  }
}

} // namespace coppice
