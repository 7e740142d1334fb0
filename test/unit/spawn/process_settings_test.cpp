// Settings as values: what is wrong with them, and the order of their steps.
#include "support/catch.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/spawn/process_settings.hpp>
#include <coppice/runtime/spawn/program_start.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sys/resource.h>

namespace coppice {
namespace {

using wire::setup_kind;
using wire::setup_step;

process_settings everything() {
  process_settings all;
  all.clear_environment = true;
  all.unset = {"HOME"};
  all.set = {"A=1", "B="};
  all.directory = "/srv";
  all.uid = 65534;
  all.gid = 65533;
  all.groups = {{4, 24}};
  all.umask = 027;
  all.nice = -5;
  all.limits = {{RLIMIT_NOFILE, 10, RLIM_INFINITY}};
  all.processors = {0, 3};
  all.no_new_privileges = true;
  return all;
}

std::string only_error(const process_settings& settings) {
  const auto errors = validate(settings);
  if (errors.size() != 1) return std::to_string(errors.size()) + " errors";
  return errors[0].field + " = " + errors[0].value + ": " + errors[0].why;
}

} // namespace

TEST_CASE("settings that are empty have no steps and nothing wrong") {
  CHECK(process_settings{}.empty());
  CHECK(steps_of({}).empty());
  CHECK(validate(process_settings{}).empty());
  CHECK_FALSE(everything().empty());
}

TEST_CASE("the steps come in the order that works") {
  CHECK(validate(everything()).empty());
  const std::vector<setup_step> expected{
      {setup_kind::clear_environment},
      {setup_kind::unset_variable, "HOME"},
      {setup_kind::set_variable, "A=1"},
      {setup_kind::set_variable, "B="},
      {setup_kind::limit, "", {RLIMIT_NOFILE, 10, RLIM_INFINITY}},
      {setup_kind::nice, "", {15}},
      {setup_kind::processors, "", {0, 3}},
      {setup_kind::umask, "", {027}},
      {setup_kind::groups, "", {4, 24}},
      {setup_kind::gid, "", {65533}},
      {setup_kind::uid, "", {65534}},
      {setup_kind::directory, "/srv"},
      {setup_kind::no_new_privileges},
  };
  CHECK(steps_of(everything()) == expected);
  CHECK(changes_identity(expected));
  CHECK_FALSE(changes_identity({{setup_kind::umask, "", {0}}}));
}

TEST_CASE("another user without groups has none of the primary's") {
  process_settings settings;
  settings.uid = 1;
  settings.gid = 2;
  const std::vector<setup_step> expected{
      {setup_kind::groups}, {setup_kind::gid, "", {2}}, {setup_kind::uid, "", {1}}};
  CHECK(steps_of(settings) == expected);
}

TEST_CASE("what is wrong with settings names field and value") {
  const auto with = [](auto change) {
    process_settings settings;
    change(settings);
    return only_error(settings);
  };
  using s = process_settings;
  CHECK(with([](s& x) { x.unset = {"A=1"}; }) == "unset = A=1: is no name of a variable");
  CHECK(with([](s& x) { x.unset = {""}; }) == "unset = : is no name of a variable");
  CHECK(with([](s& x) { x.set = {"A"}; }) == "set = A: is not NAME=value");
  CHECK(with([](s& x) { x.set = {"=1"}; }) == "set = =1: is not NAME=value");
  CHECK(with([](s& x) { x.set = {"COPPICE_ROLE=worker"}; }) ==
        "set = COPPICE_ROLE=worker: names that begin with COPPICE_ are the library's own");
  CHECK(with([](s& x) { x.directory = "srv"; }) == "directory = srv: must be absolute");
  CHECK(with([](s& x) { x.uid = 5; }) ==
        "uid = 5: needs a gid, or the process keeps the primary's");
  CHECK(with([](s& x) { x.gid = UINT32_MAX; }) == "gid = 4294967295: is no group's");
  CHECK(with([](s& x) {
          x.user = "nobody";
          x.gid = 5;
        }) == "user = nobody: comes with its own uid, gid and groups");
  CHECK(with([](s& x) { x.umask = 01000; }) == "umask = 01000: is not within 0 and 0777");
  CHECK(with([](s& x) { x.nice = -21; }) == "nice = -21: is not within -20 and 19");
  CHECK(with([](s& x) {
          x.limits = {{RLIMIT_AS, 2, 1}};
        }) == "limit = AS: soft (2) is above hard (1)");
  CHECK(with([](s& x) {
          x.limits = {{99, 1, 1}};
        }) == "limit = 99: is no resource of setrlimit(2)");
  CHECK(with([](s& x) { x.processors = {1024}; }) == "processors = 1024: is not below 1024");
  CHECK(with([](s& x) { x.groups.emplace(257, 1u); }) == "groups = 257: more than 256");
  CHECK(with([](s& x) { x.set.assign(1025, "A=1"); }) ==
        "settings = 1025: are more than 1024 steps");
  CHECK(with([](s& x) { x.set.assign(9, "A=" + std::string(4000, 'x')); }) ==
        "settings = 36162: are more than 32768 bytes");
}

TEST_CASE("the largest settings that pass fit into a spawn") {
  process_settings settings;
  settings.set.assign(8, "A=" + std::string(4000, 'x'));
  REQUIRE(validate(settings).empty());
  CHECK(steps_of(settings).size() == 8);
}

TEST_CASE("a failed step says what was tried, on what, and why") {
  const auto text = [](setup_step step) { return step_error(step, EPERM).message(); };
  CHECK(text({setup_kind::gid, "", {65534}}) == "setgid 65534: Operation not permitted");
  CHECK(text({setup_kind::uid, "", {1}}) == "setuid 1: Operation not permitted");
  CHECK(text({setup_kind::groups, "", {4, 24}}) == "setgroups 4,24: Operation not permitted");
  CHECK(text({setup_kind::nice, "", {15}}) == "setpriority -5: Operation not permitted");
  CHECK(text({setup_kind::limit, "", {RLIMIT_NOFILE, 10, RLIM_INFINITY}}) ==
        "setrlimit NOFILE 10:unlimited: Operation not permitted");
  CHECK(text({setup_kind::processors, "", {0, 3}}) ==
        "sched_setaffinity 0,3: Operation not permitted");
  CHECK(text({setup_kind::directory, "/srv"}) == "chdir /srv: Operation not permitted");
  CHECK(text({setup_kind::no_new_privileges}) == "set no_new_privs: Operation not permitted");
  // Not the value: it may be a secret, and this goes into logs.
  CHECK(text({setup_kind::set_variable, "PASSWORD=x"}) == "set PASSWORD: Operation not permitted");
}

TEST_CASE("a user is looked up by name") {
  process_settings settings;
  settings.user = "root";
  const auto found = with_user(settings);
  REQUIRE(found);
  CHECK(found->user.empty());
  CHECK(found->uid == 0u);
  CHECK(found->gid == 0u);
  REQUIRE(found->groups);
  CHECK(std::count(found->groups->begin(), found->groups->end(), 0u) == 1);
  settings.user = "no such user";
  const auto missing = with_user(settings);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message() == "look up user no such user: there is no such user");
}

TEST_CASE("the environment of a program is ours, changed, and without our letters") {
  ::setenv("COPPICE_TEST_LETTER", "x", 1);
  ::setenv("TEST_OURS", "1", 1);
  ::setenv("NOTIFY_SOCKET", "@systemd", 1);
  const auto has = [](const std::vector<std::string>& list, const char* entry) {
    return std::count(list.begin(), list.end(), entry);
  };
  program_start start;
  start.environment = {"TEST_ADDED=2"};
  CHECK(has(environment_for(start), "COPPICE_TEST_LETTER=x") == 1);
  start.foreign = true;
  auto list = environment_for(start);
  CHECK(has(list, "COPPICE_TEST_LETTER=x") == 0);
  CHECK(has(list, "NOTIFY_SOCKET=@systemd") == 0);
  CHECK(has(list, "TEST_OURS=1") == 1);
  CHECK(has(list, "TEST_ADDED=2") == 1);
  start.steps = {{setup_kind::unset_variable, "TEST_OURS"},
                 {setup_kind::set_variable, "TEST_SET=3"},
                 {setup_kind::set_variable, "TEST_SET=4"}};
  list = environment_for(start);
  CHECK(has(list, "TEST_OURS=1") == 0);
  CHECK(has(list, "TEST_SET=3") == 0);
  CHECK(has(list, "TEST_SET=4") == 1);
  start.steps = {{setup_kind::clear_environment}, {setup_kind::set_variable, "A=1"}};
  CHECK(environment_for(start) == std::vector<std::string>{"A=1", "TEST_ADDED=2"});
  ::unsetenv("COPPICE_TEST_LETTER");
  ::unsetenv("TEST_OURS");
  ::unsetenv("NOTIFY_SOCKET");
}

} // namespace coppice
