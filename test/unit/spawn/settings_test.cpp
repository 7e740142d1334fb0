// Settings as the child finds them, in programs, in exec'd workers and in forked ones.
#include "spawn_fixture.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/spawn/exec_spawner.hpp>
#include <coppice/runtime/spawn/process_settings.hpp>
#include <coppice/runtime/spawn/program_start.hpp>
#include <coppice/runtime/spawn/zygote_spawner.hpp>
#include <coppice/runtime/wire/control.hpp>

#include <cstdlib>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace coppice {
namespace {

using namespace spawn_test;

bool is_root() {
  if (::geteuid() == 0) return true;
  WARN("only root can give a child another identity");
  return false;
}

/// The value of "Name:\tvalue" on a line of its own.
std::string value(const std::string& text, const std::string& name) {
  const auto at = ("\n" + text).find("\n" + name + ":\t");
  REQUIRE(at != std::string::npos);
  const auto begin = at + name.size() + 2;
  return text.substr(begin, text.find('\n', begin) - begin);
}

unsigned some_processor() {
  cpu_set_t allowed;
  REQUIRE(::sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  for (unsigned n = 0; n < CPU_SETSIZE; ++n)
    if (CPU_ISSET(n, &allowed)) return n;
  return 0;
}

process_settings unprivileged() {
  process_settings settings;
  settings.unset = {"TEST_UNSET"};
  settings.set = {"TEST_SET=one=1"};
  settings.directory = "/usr";
  settings.umask = 027;
  settings.nice = ::getpriority(PRIO_PROCESS, 0) + 1;
  settings.limits = {{RLIMIT_NOFILE, 60, 70}};
  settings.processors = {some_processor()};
  settings.no_new_privileges = true;
  return settings;
}

void check_unprivileged(const std::string& status) {
  CHECK(value(status, "Umask") == "0027");
  CHECK(value(status, "NoNewPrivs") == "1");
  CHECK(value(status, "Cpus_allowed_list") == std::to_string(some_processor()));
}

process_settings another_user() {
  auto settings = unprivileged();
  settings.uid = 65534;
  settings.gid = 65533;
  settings.groups = {{4, 24}};
  return settings;
}

void check_another_user(const std::string& status) {
  CHECK(value(status, "Uid") == "65534\t65534\t65534\t65534");
  CHECK(value(status, "Gid") == "65533\t65533\t65533\t65533");
  CHECK(value(status, "Groups").starts_with("4 24"));
  CHECK(value(status, "CapEff") == "0000000000000000");
}

struct variables {
  variables() {
    ::setenv("TEST_UNSET", "here", 1);
    ::setenv("TEST_KEPT", "here", 1);
  }
  ~variables() {
    ::unsetenv("TEST_UNSET");
    ::unsetenv("TEST_KEPT");
  }
};

/// The output of `sh -c script` with these settings, or the error.
std::string shell(const char* script, const process_settings& settings, int death_signal = 0) {
  pipe_ends out;
  program_start start;
  start.executable = "/bin/sh";
  start.argv = {"sh", "-c", script};
  start.descriptors = {{out.write.get(), STDOUT_FILENO}};
  start.steps = steps_of(settings);
  start.parent_death_signal = death_signal;
  start.foreign = true;
  auto child = start_program(start);
  if (!child) return child.error().message();
  out.write.reset();
  auto text = end_of_pipe(out.read.get());
  CHECK(test::end_of(*child).well());
  return text;
}

constexpr const char* tell = "cat /proc/self/status; printf 'files:\\t%s %s\\nTEST_SET:\\t%s\\n' "
                             "$(ulimit -Sn) $(ulimit -Hn) \"$TEST_SET\"; printf "
                             "'cwd:\\t%s\\nTEST_UNSET:\\t%s\\nTEST_KEPT:\\t%s\\n' \"$PWD\" "
                             "\"$TEST_UNSET\" \"$TEST_KEPT\"";

} // namespace

TEST_CASE("a program finds its settings") {
  const variables here;
  const auto text = shell(tell, unprivileged());
  INFO(text);
  check_unprivileged(text);
  CHECK(value(text, "files") == "60 70");
  CHECK(value(text, "cwd") == "/usr");
  CHECK(value(text, "TEST_SET") == "one=1");
  CHECK(value(text, "TEST_UNSET").empty());
  CHECK(value(text, "TEST_KEPT") == "here");
}

TEST_CASE("a program runs as the user it was given, and the primary stays what it was") {
  if (!is_root()) return;
  const int dumpable = ::prctl(PR_GET_DUMPABLE);
  const auto text = shell(tell, another_user());
  INFO(text);
  check_unprivileged(text);
  check_another_user(text);
  CHECK(::prctl(PR_GET_DUMPABLE) == dumpable);
  CHECK(::geteuid() == 0);
}

TEST_CASE("a step that fails is named, for programs") {
  process_settings settings;
  settings.directory = "/nonexistent";
  CHECK(shell("true", settings) == "chdir /nonexistent: No such file or directory");
  if (!is_root()) return;
  // A directory that root could enter, and its user cannot.
  settings = another_user();
  char closed[] = "/tmp/coppice-settings-XXXXXX";
  REQUIRE(::mkdtemp(closed) != nullptr);
  settings.directory = closed;
  CHECK(shell("true", settings) == "chdir " + std::string{closed} + ": Permission denied");
  ::rmdir(closed);
  CHECK(test::has_no_children());
}

TEST_CASE("without the privilege, the step that takes it is named") {
  // As another user nobody may become a third one; in a child of ours, as we are to stay root.
  if (!is_root()) return;
  const int code = test::code_of_child([] {
    if (::setgid(65533) != 0 || ::setuid(65534) != 0) return 1;
    process_settings settings;
    settings.gid = 65534;
    program_start start;
    start.executable = "/bin/true";
    start.steps = steps_of(settings);
    const auto child = start_program(start);
    return !child && child.error().message() == "setgid 65534: Operation not permitted" ? 0 : 2;
  });
  CHECK(code == 0);
}

TEST_CASE("a program's parent-death signal outlives the change of its user") {
  if (!is_root()) return;
  for (const auto& settings : {unprivileged(), another_user()}) {
    // The parent of the program is a child of ours, which ends.
    pipe_ends out;
    auto parent = test::in_child([&] {
      program_start start;
      start.executable = "/bin/sleep";
      start.argv = {"sleep", "1000"};
      start.steps = steps_of(settings);
      start.parent_death_signal = SIGKILL;
      auto child = start_program(start);
      if (!child) return 1;
      const pid_t pid = child->pid();
      if (::write(out.write.get(), &pid, sizeof pid) != sizeof pid) return 2;
      ::_exit(0); // without the owner's end, which would kill it
    });
    pid_t pid = 0;
    REQUIRE(::read(out.read.get(), &pid, sizeof pid) == sizeof pid);
    const auto pidfd = test::open_pidfd(pid); // none: it is gone already
    CHECK(test::end_of(parent).well());
    if (pidfd) CHECK(test::readable_within(pidfd.get(), test::patience));
  }
}

TEST_CASE("a worker finds its settings, forked or exec'd") {
  const variables here;
  for (const std::string how : {"zygote", "exec"}) {
    INFO(how);
    spawn_fixture it;
    zygote_spawner zygote{it.loop, it.log, zygote_options{SPAWN_HELPER, {"helper"}, {}}};
    exec_spawner exec{it.loop, it.log, exec_options{SPAWN_HELPER, {"helper"}}};
    auto& by = how == "zygote" ? static_cast<spawner&>(zygote) : exec;
    it.setup = steps_of(unprivileged());
    auto& worker = it.spawned(by, "tells_settings");
    const auto text = worker.hears();
    INFO(text);
    check_unprivileged(text);
    CHECK(value(text, "cwd") == "/usr");
    CHECK(value(text, "nice") == std::to_string(::getpriority(PRIO_PROCESS, 0) + 1));
    CHECK(value(text, "files") == "60 70");
    CHECK(value(text, "death") == "1");
    CHECK(value(text, "TEST_SET") == "one=1");
    CHECK(value(text, "TEST_UNSET") == "(none)");
    CHECK(value(text, "TEST_KEPT") == "here");
    worker.lets_go();
    it.setup.clear(); // and the next one is not concerned
    auto& plain = it.spawned(by, "tells_settings", 2);
    CHECK(value(plain.hears(), "TEST_UNSET") == "here");
    plain.lets_go();
  }
}

TEST_CASE("a forked worker is another user, guarded still, and can read about itself") {
  if (!is_root()) return;
  for (const auto way : {fork_way::clone, fork_way::double_fork}) {
    INFO(to_string(way));
    spawn_fixture it;
    zygote_spawner zygote{it.loop, it.log, zygote_options{SPAWN_HELPER, {"helper"}, way}};
    it.setup = steps_of(another_user());
    auto& worker = it.spawned(zygote, "tells_settings");
    const auto text = worker.hears();
    INFO(text);
    check_another_user(text);
    CHECK(value(text, "death") == "1");
    CHECK(value(text, "dumpable") == "1");
    CHECK(std::stoi(value(text, "fds")) >= 6);
    worker.lets_go();
  }
}

TEST_CASE("a forked worker whose step fails says which, and ends") {
  spawn_fixture it;
  zygote_spawner zygote{it.loop, it.log, zygote_options{SPAWN_HELPER, {"helper"}, {}}};
  process_settings settings;
  settings.directory = "/nonexistent";
  it.setup = steps_of(settings);
  auto& worker = it.spawned(zygote, "report");
  const auto packet = worker.hears();
  const auto message = wire::decode_control(std::as_bytes(std::span{packet}));
  REQUIRE(message);
  CHECK(*message ==
        wire::control_message{wire::failed{"chdir /nonexistent: No such file or directory"}});
  CHECK(worker.ends().text() == "exit code 1");
}

TEST_CASE("an exec'd worker whose step fails is not there") {
  spawn_fixture it;
  exec_spawner exec{it.loop, it.log, exec_options{SPAWN_HELPER, {"helper"}}};
  process_settings settings;
  settings.directory = "/nonexistent";
  it.setup = steps_of(settings);
  auto& worker = it.spawn(exec, "report");
  it.until_answered(worker);
  REQUIRE(worker.failed);
  CHECK(worker.failed->message() == "chdir /nonexistent: No such file or directory");
}

} // namespace coppice
