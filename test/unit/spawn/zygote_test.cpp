// The life of a zygote: it refuses, dies, is replaced; requests are answered exactly once.
#include "zygote_fixture.hpp"

#include <coppice/runtime/limits.hpp>

#include <asio/steady_timer.hpp>
#include <csignal>
#include <random>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace coppice {
namespace {

using namespace spawn_test;

std::string cmdline_of(pid_t pid) {
  os::unique_fd file{::open(("/proc/" + std::to_string(pid) + "/cmdline").c_str(), O_RDONLY)};
  char text[256]{};
  (void)!::read(file.get(), text, sizeof text - 1);
  return text;
}

} // namespace

TEST_CASE("a zygote has a title, a session of its own, and ends with its spawner") {
  zygote_fixture it{helper()};
  const pid_t pid = it.started();
  CHECK(cmdline_of(pid) == "coppice: zygote");
  CHECK(::getsid(pid) == pid);
  const auto watch = test::open_pidfd(pid);
  CHECK_FALSE(test::readable_within(watch.get(), std::chrono::milliseconds{0}));
  it.check_nothing_left();
  CHECK(test::readable_within(watch.get(), std::chrono::milliseconds{0}));
}

TEST_CASE("a zygote is started once, by start or by the first request") {
  zygote_fixture it{helper()};
  CHECK_FALSE(it.zygote->zygote_pid());
  auto& worker = it.spawned(*it.zygote, "report");
  CHECK(it.started() == *it.zygote->zygote_pid());
  worker.hears();
  worker.lets_go();
}

TEST_CASE("an idle zygote that is killed is replaced, and makes workers") {
  for (const auto way : ways()) {
    INFO(to_string(way));
    zygote_fixture it{helper({}, way)};
    const pid_t first = it.started();
    it.kill_zygote();
    test::run_until(it.loop, [&] { return it.zygote->zygote_pid() != first; });
    it.spawned(*it.zygote, "report");
    it.check_all_answered();
    CHECK(it.log.has("has ended: SIGKILL; another one starts"));
    it.check_nothing_left();
  }
}

TEST_CASE("a zygote that is asked to end by TERM is replaced, too") {
  zygote_fixture it{helper()};
  const pid_t first = it.started();
  ::kill(first, SIGTERM);
  test::run_until(it.loop, [&] { return it.zygote->zygote_pid() != first; });
  it.spawned(*it.zygote, "report");
  it.check_all_answered();
  it.check_nothing_left();
}

TEST_CASE("workers outlive their zygote") {
  zygote_fixture it{helper()};
  auto& worker = it.spawned(*it.zygote, "report");
  worker.hears();
  const auto first = it.zygote->zygote_pid();
  it.kill_zygote();
  test::run_until(it.loop, [&] { return it.zygote->zygote_pid() != first; });
  CHECK_FALSE(worker.child->reap());
  worker.lets_go();
}

TEST_CASE("whenever the zygote is killed, each request is answered once by a living worker") {
  const auto seed = std::random_device{}();
  std::printf("seed of the kills: %u\n", seed);
  std::mt19937 random{seed};
  const auto before = os::open_descriptors();
  for (const auto way : ways()) {
    INFO(to_string(way) << ", seed " << seed);
    for (int round = 0; round < 15; ++round) {
      zygote_fixture it{helper({}, way)};
      it.started();
      for (std::uint64_t n = 0; n < 12; ++n) it.spawn(*it.zygote, "report", n);
      // Some time into the work of the requests, a few times over.
      asio::steady_timer timer{it.loop};
      int kills = 0;
      std::function<void()> again = [&] {
        timer.expires_after(std::chrono::microseconds{random() % 3000});
        timer.async_wait([&](std::error_code stopped) {
          if (stopped || kills == 3) return;
          ++kills;
          it.kill_zygote();
          again();
        });
      };
      again();
      const auto answered = [&] {
        for (const auto& each : it.all)
          if (each.answers == 0) return false;
        return true;
      };
      test::run_until(it.loop, answered);
      timer.cancel();
      it.check_all_answered();
      it.check_nothing_left();
    }
  }
  CHECK(os::open_descriptors() == before);
}

namespace {

/// Lets the zygote go on to the entry or exit of its next system call. Nothing if it has ended.
std::optional<long> step_to_syscall(pid_t zygote) {
  if (::ptrace(PTRACE_SYSCALL, zygote, 0, 0) != 0) return std::nullopt;
  int status = 0;
  if (::waitpid(zygote, &status, __WALL) != zygote || !WIFSTOPPED(status)) return std::nullopt;
  __ptrace_syscall_info info{};
  ::ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), zygote, sizeof info, &info);
  return info.op == PTRACE_SYSCALL_INFO_ENTRY ? static_cast<long>(info.entry.nr) : -1;
}

bool take_under_trace(pid_t zygote) {
  if (::ptrace(PTRACE_SEIZE, zygote, 0, PTRACE_O_TRACESYSGOOD) != 0) return false;
  REQUIRE(::ptrace(PTRACE_INTERRUPT, zygote, 0, 0) == 0);
  REQUIRE(::waitpid(zygote, nullptr, __WALL) == zygote);
  return true;
}

} // namespace

TEST_CASE("a zygote killed before and after each of its system calls loses and doubles nothing") {
  for (const auto way : ways()) {
    bool waits_again = false;
    int calls = 0;
    for (; !waits_again; ++calls) {
      INFO(to_string(way) << ", killed at stop " << calls);
      REQUIRE(calls < 200);
      zygote_fixture it{helper({}, way)};
      const pid_t first = it.started();
      if (!take_under_trace(first)) {
        WARN("ptrace is not allowed here");
        return;
      }
      it.spawn(*it.zygote, "report", 1); // is sent at once: the zygote is up
      it.spawn(*it.zygote, "report", 2);
      // The interrupted poll comes first: its exit, and perhaps its restart.
      bool worked = false;
      for (int n = 0; n <= calls && !waits_again; ++n) {
        const auto call = step_to_syscall(first);
        REQUIRE(call);
        worked = worked || *call == SYS_clone;
        waits_again = worked && *call == SYS_poll; // it would not stop any more
      }
      ::kill(first, SIGKILL);
      test::run_until(it.loop, [&] { return it.all[0].answers > 0 && it.all[1].answers > 0; });
      it.check_all_answered();
      it.check_nothing_left();
    }
    std::printf("%s: killed at %d stops\n", std::string{to_string(way)}.c_str(), calls);
  }
}

TEST_CASE("a spawner that is destroyed amid requests leaves nothing behind") {
  const auto before = os::open_descriptors();
  for (const auto way : ways()) {
    for (int round = 0; round < 10; ++round) {
      zygote_fixture it{helper({}, way)};
      it.started();
      for (std::uint64_t n = 0; n < 10; ++n) it.spawn(*it.zygote, "report", n);
      for (int n = 0; n < round; ++n) it.loop.run_one_for(std::chrono::milliseconds{1});
      it.zygote.reset();
      std::size_t answered = 0;
      for (const auto& each : it.all) answered += each.answers;
      test::run_ready(it.loop);
      for (const auto& each : it.all) answered -= each.answers;
      CHECK(answered == 0); // no callback after the destructor
      it.all.clear();
      CHECK(test::has_no_children());
    }
  }
  CHECK(os::open_descriptors() == before);
}

TEST_CASE("stop answers what it can, fails the rest, and every later request") {
  zygote_fixture it{helper()};
  it.started();
  for (std::uint64_t n = 0; n < 100; ++n) it.spawn(*it.zygote, "report", n);
  it.zygote->stop();
  auto& late = it.spawn(*it.zygote, "report", 100);
  test::run_until(it.loop, [&] { return late.answers > 0; });
  for (auto& each : it.all) {
    CHECK(each.answers == 1);
    CHECK((each.failed.has_value() != each.child.has_value()));
    if (each.failed) CHECK(contains(each.failed->message(), "the spawner has stopped"));
  }
  CHECK(late.failed->object == "report/100");
  it.all.clear();
  CHECK(test::has_no_children());
}

TEST_CASE("a callback may use and destroy the spawner") {
  zygote_fixture it{helper()};
  bool called = false;
  it.zygote->start([&](result<void>) {
    it.spawn(*it.zygote, "report");
    it.zygote->stop();
    it.zygote.reset();
    called = true;
  });
  test::run_until(it.loop, [&] { return called; });
  test::run_ready(it.loop);
  CHECK(it.all[0].answers == 0);
  CHECK(test::has_no_children());
}

TEST_CASE("a zygote with threads refuses, and says why") {
  zygote_fixture it{helper({"has-threads"})};
  auto& worker = it.spawn(*it.zygote, "report");
  std::optional<error> why;
  it.zygote->start([&](result<void> done) { why = done.error(); });
  it.until_answered(worker);
  REQUIRE(worker.failed);
  CHECK(worker.failed->message() ==
        std::string{"start zygote "} + SPAWN_HELPER + ": it has 2 threads, and fork copies one");
  test::run_until(it.loop, [&] { return why.has_value(); });
  CHECK(why->message() == worker.failed->message());
  auto& later = it.spawn(*it.zygote, "report", 2);
  it.until_answered(later);
  CHECK(later.failed);
  it.check_nothing_left();
}

TEST_CASE("a zygote whose preload throws refuses, with the exception's text") {
  zygote_fixture it{helper({"preload-throws"})};
  auto& worker = it.spawn(*it.zygote, "report");
  it.until_answered(worker);
  REQUIRE(worker.failed);
  CHECK(contains(worker.failed->message(), "preload: no data"));
}

TEST_CASE(
    "a zygote that always ends before its hello is given up, and tried again when asked again") {
  zygote_fixture it{helper({"dies-before-hello"})};
  for (int n = 0; n < 2; ++n) {
    auto& worker = it.spawn(*it.zygote, "report");
    it.until_answered(worker);
    REQUIRE(worker.failed);
    CHECK(worker.failed->message() ==
          std::string{"start zygote "} + SPAWN_HELPER + ": it ended before its hello: exit code 5");
  }
  it.check_nothing_left();
}

TEST_CASE("a program that is not there is named") {
  zygote_fixture it{{"/nonexistent/program", {}, {}}};
  auto& worker = it.spawn(*it.zygote, "report");
  it.until_answered(worker);
  REQUIRE(worker.failed);
  CHECK(worker.failed->message() == "start /nonexistent/program: No such file or directory");
}

TEST_CASE("a fork that the kernel refuses fails its request, and the zygote lives on") {
  for (const auto way : ways()) {
    INFO(to_string(way));
    zygote_fixture it{helper({"clone-refused"}, way)};
    const pid_t pid = it.started();
    auto& worker = it.spawn(*it.zygote, "report", 4);
    it.until_answered(worker);
    REQUIRE(worker.failed);
    CHECK(worker.failed->message() ==
          "spawn report/4: fork worker: Resource temporarily unavailable");
    CHECK(it.zygote->zygote_pid() == pid);
  }
}

TEST_CASE("a request that every zygote dies at is given up, and fails alone") {
  for (const auto way : ways()) {
    INFO(to_string(way));
    zygote_fixture it{helper({"dies-at-clone"}, way)};
    auto& worker = it.spawn(*it.zygote, "report");
    it.until_answered(worker);
    REQUIRE(worker.failed);
    CHECK(worker.failed->message() == "spawn report/1: the zygote dies each time");
    it.check_nothing_left();
  }
}

TEST_CASE("two spawners, one for each version, live side by side") {
  zygote_fixture it{helper()};
  zygote_spawner other{it.loop, it.log, helper()};
  it.spawned(*it.zygote, "report", 1);
  it.spawned(other, "report", 2);
  CHECK(it.zygote->zygote_pid() != other.zygote_pid());
  it.check_all_answered();
}

TEST_CASE(
    "when the primary is killed, zygote and workers are dead soon after, even one that spins") {
  pipe_ends out;
  auto primary = test::in_child([&] {
    ::dup2(out.write.get(), 1);
    ::execl(SPAWN_HELPER, "helper", nullptr);
    return 1;
  });
  out.write.reset();
  REQUIRE(test::readable_within(out.read.get(), test::patience));
  char text[100]{};
  REQUIRE(::read(out.read.get(), text, sizeof text - 1) > 0);
  int pids[3];
  REQUIRE(std::sscanf(text, "%d %d %d", &pids[0], &pids[1], &pids[2]) == 3);
  std::vector<os::unique_fd> watched;
  for (const int pid : pids) {
    watched.push_back(test::open_pidfd(pid));
    REQUIRE(watched.back());
    CHECK_FALSE(test::readable_within(watched.back().get(), std::chrono::milliseconds{0}));
  }
  REQUIRE(primary.signal(SIGKILL));
  for (const auto& each : watched) CHECK(test::readable_within(each.get(), test::patience));
}

} // namespace coppice
