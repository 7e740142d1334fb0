// What a worker that came from a zygote has, and what works in it; each in both ways to fork.
#include "spawn_fixture.hpp"

#include <coppice/runtime/spawn/zygote_spawner.hpp>

#include <cerrno>
#include <csignal>
#include <pthread.h>
#include <sys/mman.h>

namespace coppice {
namespace {

using namespace spawn_test;
using kind = os::exit_status::kind;

zygote_options helper(fork_way way, std::vector<std::string> words = {}) {
  words.insert(words.begin(), "helper");
  return {SPAWN_HELPER, std::move(words), way};
}

constexpr fork_way ways[] = {fork_way::clone, fork_way::double_fork};

bool can(fork_way way) {
  if (way == fork_way::double_fork || best_fork_way() == fork_way::clone) return true;
  WARN("this kernel has no PR_GET_TID_ADDRESS");
  return false;
}

struct zygote_fixture : spawn_fixture {
  zygote_spawner zygote;
  explicit zygote_fixture(zygote_options options) : zygote{loop, log, std::move(options)} {}
};

} // namespace

TEST_CASE("a worker is the primary's child, knows who it is, and has nothing but its own") {
  for (const auto way : ways) {
    if (!can(way)) continue;
    INFO(to_string(way));
    zygote_fixture it{helper(way, {"preload-leaks"})};
    auto& worker = it.spawned(it.zygote, "report", 2);
    const auto report = worker.hears();
    INFO(report);
    CHECK(field(report, "group") == "report");
    CHECK(field(report, "name") == "report/2");
    CHECK(field(report, "id") == "2");
    CHECK(field(report, "incarnation") == "12");
    CHECK(field(report, "pid") == std::to_string(worker.child->pid()));
    CHECK(field(report, "tid") == std::to_string(worker.child->pid()));
    CHECK(field(report, "ppid") == std::to_string(::getpid()));
    CHECK(field(report, "primary") == std::to_string(::getpid()));
    CHECK(field(report, "leads_session") == "1");
    CHECK(field(report, "letters") == "0");
    CHECK(field(report, "signals") == "0");
    CHECK(field(report, "comm").substr(0, 15) == "coppice: report");
    CHECK(field(report, "cmdline") == "coppice: report/2");
    CHECK(field(report, "in") == "/dev/null");
    CHECK(contains(field(report, "fds"), "0 1 2 "));
    std::string own = field(report, "fds").substr(6);
    for (const char* name : {"control ", "data ", "ledger "}) {
      const auto at = own.find(name);
      REQUIRE(at != std::string::npos);
      own.erase(at, std::string{name}.size());
    }
    CHECK(own.empty());
    worker.lets_go();
  }
}

TEST_CASE("the channels that a worker gets are those of its request") {
  zygote_fixture it{helper(best_fork_way())};
  auto& one = it.spawned(it.zygote, "report", 1);
  auto& two = it.spawned(it.zygote, "report", 2);
  CHECK(field(one.hears(), "name") == "report/1");
  CHECK(field(two.hears(), "name") == "report/2");
  // The only other ends are the workers': here and in the zygote they are closed.
  one.lets_go();
  CHECK(::recv(two.control.get(), nullptr, 0, MSG_DONTWAIT | MSG_PEEK) == -1);
  CHECK(errno == EAGAIN);
  REQUIRE(two.child->signal(SIGKILL));
  two.ends();
  CHECK_FALSE(hear(two.control.get(), 30'000)); // its end: nobody else holds it
  char byte = 0;
  CHECK(::recv(two.data.get(), &byte, 1, MSG_DONTWAIT) == 0);
}

TEST_CASE("threads, mutexes, asio, fork and abort work in a worker") {
  struct row {
    const char* group;
    os::exit_status expected;
  };
  const row rows[] = {
      {"threads", {kind::exited, 15, false}},       {"priority_mutex", {kind::exited, 42, false}},
      {"asio_loop", {kind::exited, 8, false}},      {"forks", {kind::exited, 13, false}},
      {"raises", {kind::signaled, SIGTERM, false}}, {"throws", {kind::exited, 1, false}},
  };
  for (const auto way : ways) {
    if (!can(way)) continue;
    zygote_fixture it{helper(way)};
    for (const auto& row : rows) {
      INFO(to_string(way) << " " << row.group);
      CHECK(it.end_of(it.zygote, row.group) == row.expected);
    }
    auto aborted = it.end_of(it.zygote, "aborts");
    CHECK(aborted.how == kind::signaled);
    CHECK(aborted.code_or_signal == SIGABRT);
    CHECK(it.end_of(it.zygote, "exits", 77).code_or_signal == 77);
  }
}

TEST_CASE("a robust mutex of a dead worker is recovered") {
  for (const auto way : ways) {
    if (!can(way)) continue;
    INFO(to_string(way));
    zygote_fixture it{helper(way)};
    auto& worker = it.spawn(it.zygote, "robust_mutex");
    void* page = ::mmap(nullptr, sizeof(shared_mutex_page), PROT_READ | PROT_WRITE, MAP_SHARED,
                        worker.ledger.get(), 0);
    REQUIRE(page != MAP_FAILED);
    auto* mutex = reinterpret_cast<pthread_mutex_t*>(static_cast<shared_mutex_page*>(page)->mutex);
    pthread_mutexattr_t how;
    ::pthread_mutexattr_init(&how);
    ::pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
    REQUIRE(::pthread_mutex_init(mutex, &how) == 0); // before the loop sends the request
    it.until_answered(worker);
    CHECK(worker.ends().well());
    CHECK(::pthread_mutex_trylock(mutex) == EOWNERDEAD);
    ::pthread_mutex_consistent(mutex);
    ::pthread_mutex_unlock(mutex);
    ::munmap(page, sizeof(shared_mutex_page));
  }
}

TEST_CASE("where clone3 is refused, workers are made and make threads") {
  for (const auto way : ways) {
    if (!can(way)) continue;
    INFO(to_string(way));
    zygote_fixture it{helper(way, {"clone3-enosys"})};
    auto& worker = it.spawned(it.zygote, "tries_clone3");
    CHECK(worker.hears() == "clone3=" + std::to_string(ENOSYS));
    CHECK(worker.ends().code_or_signal == 15);
  }
}

TEST_CASE("where clone3 is refused with EPERM, as old container profiles do, workers are made") {
  for (const auto way : ways) {
    if (!can(way)) continue;
    INFO(to_string(way));
    zygote_fixture it{helper(way, {"clone3-eperm"})};
    CHECK(it.end_of(it.zygote, "exits", 3).code_or_signal == 3);
  }
}

TEST_CASE(
    "a worker's descriptors 0, 1 and 2 are those of its request, and what it printed is written") {
  for (const auto way : ways) {
    if (!can(way)) continue;
    INFO(to_string(way));
    zygote_fixture it{helper(way)};
    pipe_ends in, out, err;
    auto& worker = it.spawn(it.zygote, "copies_input", 1, std::move(in.read), std::move(out.write),
                            std::move(err.write));
    REQUIRE(::write(in.write.get(), "hello", 5) == 5);
    in.write.reset();
    it.until_answered(worker);
    CHECK(worker.ends().well());
    CHECK(end_of_pipe(out.read.get()) == "out:hello");
    CHECK(end_of_pipe(err.read.get()) == "err:hello");
  }
}

TEST_CASE("200 workers are made by one zygote, in order, with nothing left over") {
  const auto before = os::open_descriptors();
  for (const auto way : ways) {
    if (!can(way)) continue;
    INFO(to_string(way));
    zygote_fixture it{helper(way)};
    for (std::uint64_t n = 0; n < 200; ++n) it.spawn(it.zygote, "exits", n);
    test::run_until(it.loop, [&] { return it.all.back().answers > 0; });
    for (std::uint64_t n = 0; n < 200; ++n) {
      CHECK(it.all[n].answers == 1);
      CHECK(it.all[n].ends().code_or_signal == static_cast<int>(n));
    }
  }
  CHECK(test::has_no_children());
  CHECK(os::open_descriptors() == before);
}

TEST_CASE("a restart takes the time of a fork") {
  // For the eye, not for a verdict: the machine may be busy.
  for (const auto way : ways) {
    if (!can(way)) continue;
    zygote_fixture it{helper(way)};
    it.spawned(it.zygote, "report").hears();
    std::vector<std::chrono::nanoseconds> took;
    for (int n = 0; n < 50; ++n) {
      const auto start = std::chrono::steady_clock::now();
      it.spawned(it.zygote, "report").hears();
      took.push_back(std::chrono::steady_clock::now() - start);
    }
    std::sort(took.begin(), took.end());
    std::printf("spawn to first words, %s: p50 %lld us, slowest %lld us\n",
                std::string{to_string(way)}.c_str(),
                static_cast<long long>(took[25].count() / 1000),
                static_cast<long long>(took.back().count() / 1000));
  }
}

} // namespace coppice
