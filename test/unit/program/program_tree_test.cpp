// Programs and actors in a whole tree: what each kind of restart makes of each kind of end, on real
// processes.
#include "support/catch.hpp"
#include "unit/program/program_tree.hpp"

#include <coppice/actors/actor_child.hpp>
#include <coppice/runtime/caf/port.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace coppice {

using namespace test;

namespace {

constexpr restart_type all_types[] = {permanent, transient, temporary};

} // namespace

TEST_CASE("each kind of program is started again after the ends that are for it") {
  const std::vector<std::pair<std::string, std::string>> ends{{"exit=0", "exit code 0"},
                                                              {"exit=3", "exit code 3"},
                                                              {"raise=9", "SIGKILL"},
                                                              {"raise=11", "SIGSEGV"}};
  for (const auto type : all_types)
    for (const auto& [word, reason] : ends) {
      INFO(to_string(type) << ", " << word);
      const temporary_directory here;
      const auto file = here.file("starts");
      tree it{{helper("it", {"count=" + file, "1:" + word}).restart(type)}};
      const bool again = type == permanent || (type == transient && word != "exit=0");
      it.until_logged((again ? "restarted because of " : "ended because of ") + reason);
      if (again) it.until([&] { return starts(file) == 2; });
      CHECK(it.stop() == 0);
      CHECK(starts(file) == (again ? 2u : 1u));
    }
}

TEST_CASE("each kind of program that is not ready in time has failed to start, and is killed") {
  for (const auto type : all_types) {
    INFO(to_string(type));
    const temporary_directory here;
    const auto file = here.file("starts");
    // Ready, and dead; then not ready; then ready.
    tree it{{helper("it", {"count=" + file, "1:notify", "1:exit=3", "3:notify"})
                 .ready(ready_when::notifies)
                 .ready_timeout(1s)
                 .restart(type)}};
    if (type == temporary) {
      it.until_logged("ended because of exit code 3");
    } else {
      it.until_logged("restarted because of exit code 3");
      it.until_logged("start failed, tried again");
      it.until([&] { return starts(file) == 3; });
    }
    CHECK(it.stop() == 0);
  }
}

TEST_CASE("a program that is never ready at boot is a boot failure") {
  tree it{{helper("it", {}).ready(ready_when::notifies).ready_timeout(100ms)}};
  CHECK(it.until_ended() == 1);
  CHECK(it.logged("start failed"));
}

TEST_CASE("a program that is not there at boot is a boot failure, and what was up is stopped") {
  const temporary_directory here;
  tree it{{helper("first", {"count=" + here.file("starts")}),
           program{"second", "/nonexistent/program"}}};
  CHECK(it.until_ended() == 1);
  CHECK(it.logged("start /nonexistent/program: No such file or directory"));
}

TEST_CASE("a program whose file goes away, or may not be run any more, comes back with it") {
  for (const int wrong : {ENOENT, EACCES})
    for (const auto type : {permanent, transient}) {
      const std::string why = wrong == ENOENT ? "No such file or directory" : "Permission denied";
      INFO(to_string(type) << ", " << why);
      const temporary_directory here;
      const auto file = here.file("starts");
      const auto executable = here.file("program");
      const auto hidden = here.file("hidden");
      std::filesystem::copy_file(PROGRAM_HELPER, executable);
      program its{"it", executable, {"count=" + file}};
      its.restart(type).backoff({.first = 20ms, .max = 100ms, .stable_after = 1h});
      tree it{{its}};
      it.until_up();
      it.until([&] { return starts(file) == 1; });
      if (wrong == ENOENT)
        std::filesystem::rename(executable, hidden);
      else
        REQUIRE(::chmod(executable.c_str(), 0644) == 0);
      REQUIRE(::kill(it.pid_of("it"), SIGKILL) == 0);
      it.until_logged("start failed, tried again: start " + executable + ": " + why);
      if (wrong == ENOENT)
        std::filesystem::rename(hidden, executable);
      else
        REQUIRE(::chmod(executable.c_str(), 0755) == 0);
      it.until([&] { return starts(file) == 2; });
      CHECK(it.stop() == 0);
    }
}

TEST_CASE("a temporary program whose file is gone is not missed") {
  const temporary_directory here;
  const auto file = here.file("starts");
  tree it{{helper("it", {"count=" + file}).restart(temporary)}};
  it.until_up();
  REQUIRE(::kill(it.pid_of("it"), SIGKILL) == 0);
  it.until_logged("ended because of SIGKILL");
  CHECK(it.stop() == 0);
  CHECK(starts(file) <= 1);
}

TEST_CASE("a program that ignores SIGTERM is killed when its time is over") {
  tree it{{helper("it", {"ignore=15", "notify"}).ready(ready_when::notifies).shutdown(50ms)}};
  it.until_up();
  const auto pid = it.pid_of("it");
  CHECK(it.stop() == 0);
  CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("a program is asked to end by the signal that it understands") {
  // It ignores SIGTERM, and has all the time there is.
  tree it{{helper("it", {"ignore=15", "notify"})
               .ready(ready_when::notifies)
               .stop_signal(SIGQUIT)
               .shutdown(infinity)}};
  it.until_up();
  CHECK(it.stop() == 0);
}

TEST_CASE("the next child starts when the program before it is ready") {
  tree it{{helper("first", {"nap=100", "line=one", "notify"})
               .ready(ready_when::notifies)
               .output(program_output::log),
           helper("second", {"line=two"}).output(program_output::log)}};
  it.until_logged("second: two");
  const auto text = it.log_text();
  CHECK(text.find("first: one") < text.find("second: two"));
  CHECK(it.stop() == 0);
}

TEST_CASE("a program that forks twice is noticed, and does not go on behind our back") {
  const temporary_directory here;
  tree it{{helper("it", {"count=" + here.file("starts"), "1:daemon"})}};
  it.until_logged("it: left process");
  it.until_logged("restarted because of exit code 0");
  CHECK(it.stop() == 0);
  CHECK(it.logged("A program must stay in the foreground"));
}

TEST_CASE("a program's settings are found from inside") {
  if (::geteuid() != 0) {
    WARN("only root can give a child another identity");
    return;
  }
  tree it{{program{"it", "sh", {"-c", "cat /proc/self/status; echo $A $PWD; exec sleep 1000"}}
               .output(program_output::log)
               .uid(65534)
               .gid(65533)
               .groups({4, 24})
               .umask(027)
               .directory("/usr")
               .environment("A", "set")
               .no_new_privileges()}};
  it.until_logged("it: set /usr");
  CHECK(it.logged("it: Uid:\t65534\t65534\t65534\t65534"));
  CHECK(it.logged("it: Gid:\t65533\t65533\t65533\t65533"));
  CHECK(it.logged("it: Groups:\t4 24"));
  CHECK(it.logged("it: NoNewPrivs:\t1"));
  CHECK(it.logged("it: Umask:\t0027"));
  CHECK(it.stop() == 0);
}

TEST_CASE("a step of a program's set-up that fails is the reason of its failed start") {
  tree it{{helper("it", {}).directory("/nonexistent")}};
  CHECK(it.until_ended() == 1);
  CHECK(it.logged("chdir /nonexistent: No such file or directory"));
}

TEST_CASE("what is wrong with a program is named with child, field and value") {
  service_spec spec;
  spec.children = {program{"a", ""},
                   program{"b", "/bin/true"}.ready(ready_when::connects("tcp://x:1")).nice(20),
                   program{"b", "/bin/true"}.user("no such user").stop_signal(0),
                   program{"c", "/bin/true"}.backoff({.first = 2s, .max = 1s}),
                   pool("d", [](worker&) {}).umask(07777)};
  std::string all;
  for (const auto& line : validate(spec)) all += line + "\n";
  INFO(all);
  for (const char* expected :
       {"child \"a\": executable = : is empty: there is nothing to run",
        "child \"b\": ready = tcp://x:1: the host must be an address or localhost",
        "child \"b\": nice = 20: is not within -20 and 19", "child \"b\": name = b: is there twice",
        "child \"b\": user = no such user: there is no such user",
        "child \"b\": stop_signal = 0: is no signal",
        "child \"c\": backoff.max = 1 s: is below backoff.first (2 s)",
        "child \"d\": umask = 07777: is not within 0 and 0777"})
    CHECK(all.find(expected) != std::string::npos);
}

namespace {

struct end_yourself {
  std::string why; // empty: well
};

struct counted_actor {
  caf::event_based_actor* self;
  caf::behavior make_behavior() {
    return {[this](const end_yourself& m) {
      if (m.why.empty())
        self->quit();
      else
        self->quit(port::failed(m.why));
    }};
  }
};

} // namespace
} // namespace coppice

COPPICE_MESSAGES_BEGIN(program_tree_tests, 1300)
COPPICE_LOCAL_MESSAGE(program_tree_tests, coppice::end_yourself)
COPPICE_MESSAGES_END(program_tree_tests)

namespace coppice {

TEST_CASE("an actor is a child of the tree as a program is") {
  int made = 0;
  caf::actor latest;
  const auto factory = [&](caf::actor_system& system) {
    ++made;
    latest = port::spawn_state<counted_actor>(system);
    return latest;
  };
  {
    tree it{{actor("stats", factory).restart(transient).backoff({.first = 1ms, .max = 1ms}),
             helper("it", {})}};
    it.until_up();
    CHECK(made == 1);
    CHECK(it.logged("stats  actor  up"));
    port::anon_mail(end_yourself{"it broke"}).send(latest);
    it.until_logged("restarted because of it broke");
    it.until([&] { return made == 2; });
    port::anon_mail(end_yourself{}).send(latest);
    it.until_logged("ended because of");
    CHECK(made == 2);
    latest = nullptr;
    CHECK(it.stop() == 0);
  }
}

TEST_CASE("an actor that cannot be made is a boot failure, with its words") {
  tree it{{actor("stats", [](caf::actor_system&) -> caf::actor {
    throw std::runtime_error{"no such table"};
  })}};
  CHECK(it.until_ended() == 1);
  CHECK(it.logged("no such table"));
}

} // namespace coppice
