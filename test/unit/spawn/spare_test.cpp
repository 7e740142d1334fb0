// Spares: processes that wait for their spawn.
#include "zygote_fixture.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace coppice {
namespace {

using namespace spawn_test;

struct spare_fixture : zygote_fixture {
  explicit spare_fixture(std::vector<std::string> words = {})
      : zygote_fixture{helper(std::move(words))} {
    started();
    zygote->keep_spares(1);
    until_spares(1);
  }
  void until_spares(std::size_t count) {
    test::run_until(loop, [&] { return zygote->spare_pids().size() == count; });
  }
  [[nodiscard]] pid_t spare() const { return zygote->spare_pids().front(); }
};

/// A file that is there until it is removed.
class scratch_file {
public:
  scratch_file() {
    const int fd = ::mkstemp(path_.data());
    REQUIRE(fd >= 0);
    ::close(fd);
  }
  ~scratch_file() { remove(); }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  void remove() { ::unlink(path_.c_str()); }
  void make() { os::unique_fd{::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)}; }

private:
  std::string path_ = (std::filesystem::temp_directory_path() / "coppice-data-XXXXXX").string();
};

std::string name_of(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/comm"};
  std::string name;
  std::getline(file, name);
  return name;
}

char state_of(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  return name_end + 2 < text.size() ? text[name_end + 2] : '\0';
}

} // namespace

TEST_CASE("a spare becomes the worker that is asked for, and another one takes its place") {
  spare_fixture it;
  const pid_t first = it.spare();
  auto& worker = it.spawned(*it.zygote, "report");
  CHECK(worker.child->pid() == first);
  const auto report = worker.hears();
  CHECK(field(report, "pid") == std::to_string(first));
  CHECK(field(report, "cmdline") == "coppice: report/1");
  it.until_spares(1);
  CHECK(it.spare() != first);
  worker.lets_go();
  it.check_nothing_left();
}

TEST_CASE("a worker that was a spare has what any worker has, and nothing else") {
  zygote_fixture plain{helper({"preload-leaks"})};
  plain.started();
  auto& forked = plain.spawned(*plain.zygote, "report");
  spare_fixture it{{"preload-leaks", "rehearsal-leaks"}};
  auto& spared = it.spawned(*it.zygote, "report");
  const auto expected = forked.hears();
  const auto got = spared.hears();
  for (const char* what : {"fds", "signals", "letters", "leads_session", "cmdline", "in"})
    CHECK(field(got, what) == field(expected, what));
  forked.lets_go();
  spared.lets_go();
}

TEST_CASE("a spare that is killed is replaced, and nobody's request is lost") {
  spare_fixture it;
  const pid_t first = it.spare();
  ::kill(first, SIGKILL);
  auto& worker = it.spawned(*it.zygote, "report"); // its end may be known by now, or not
  it.until_spares(1);
  CHECK(it.spare() != first);
  if (worker.child->pid() == first)
    CHECK(worker.ends() == os::exit_status{os::exit_status::kind::signaled, SIGKILL, false});
  else
    worker.lets_go();
  it.check_nothing_left();
}

TEST_CASE("a spare serves while its zygote is dead") {
  spare_fixture it;
  const pid_t first = it.spare();
  it.kill_zygote();
  auto& worker = it.spawned(*it.zygote, "report");
  CHECK(worker.child->pid() == first);
  worker.hears();
  worker.lets_go();
}

TEST_CASE("a rehearsal that never ends holds up nobody but its own worker") {
  spare_fixture it{{"rehearsal-takes-long"}};
  // Before that it would find its order waiting, and not rehearse at all.
  test::run_until(it.loop, [&] { return name_of(it.spare()) == "rehearsing"; });
  auto& worker = it.spawned(*it.zygote, "report");
  CHECK_FALSE(hear(worker.control.get(), 0));
  it.zygote->keep_spares(0);
  auto& other = it.spawned(*it.zygote, "report");
  other.hears();
  other.lets_go();
  worker.child.reset(); // killed and reaped
  it.check_nothing_left();
}

TEST_CASE("a spare that is stopped is passed over, and serves once it goes on") {
  spare_fixture it;
  const pid_t first = it.spare();
  REQUIRE(::kill(first, SIGSTOP) == 0);
  const auto watch = test::open_pidfd(first);
  test::run_until(it.loop, [&] { return state_of(first) == 'T'; });
  auto& worker = it.spawned(*it.zygote, "report");
  CHECK(worker.child->pid() != first);
  worker.hears();
  REQUIRE(::kill(first, SIGCONT) == 0);
  test::run_until(it.loop, [&] { return state_of(first) != 'T'; });
  auto& next = it.spawned(*it.zygote, "report", 2);
  CHECK(next.child->pid() == first);
  next.hears();
  worker.lets_go();
  next.lets_go();
}

TEST_CASE(
    "a later zygote that refuses is no verdict: the spare serves, and the next one is tried") {
  scratch_file data;
  spare_fixture it{{data.path()}};
  const pid_t first = it.spare();
  data.remove();
  it.kill_zygote();
  test::run_until(it.loop, [&] { return it.log.has("is away"); });
  auto& worker = it.spawned(*it.zygote, "report");
  CHECK(worker.child->pid() == first);
  worker.hears();
  auto& refused = it.spawn(*it.zygote, "report", 2);
  it.until_answered(refused);
  REQUIRE(refused.failed);
  data.make();
  it.spawned(*it.zygote, "report", 3).hears();
}

TEST_CASE("a zygote that ends while everything ends is not replaced before somebody asks") {
  spare_fixture it;
  it.zygote->wind_down();
  CHECK(it.zygote->spare_pids().empty());
  it.kill_zygote();
  test::run_until(it.loop, [&] { return !it.zygote->zygote_pid(); });
  CHECK_FALSE(it.log.has("another one starts"));
  auto& worker = it.spawned(*it.zygote, "report");
  worker.hears();
  worker.lets_go();
}

TEST_CASE("a rehearsal that throws costs nothing") {
  spare_fixture it{{"rehearsal-throws"}};
  auto& worker = it.spawned(*it.zygote, "report");
  worker.hears();
  worker.lets_go();
}

TEST_CASE("spares end with their spawner, when they are not wanted any more, and by stop") {
  spare_fixture it;
  const auto watch = test::open_pidfd(it.spare());
  it.zygote->keep_spares(0);
  CHECK(test::readable_within(watch.get(), std::chrono::milliseconds{0}));
  it.zygote->keep_spares(3);
  it.until_spares(3);
  it.zygote->stop();
  CHECK(it.zygote->spare_pids().empty());
  it.check_nothing_left();
}

TEST_CASE("spares that are made in either way of forking are the primary's children") {
  for (const auto way : ways()) {
    INFO(to_string(way));
    zygote_fixture it{helper({}, way)};
    it.started();
    it.zygote->keep_spares(2);
    test::run_until(it.loop, [&] { return it.zygote->spare_pids().size() == 2; });
    for (std::uint64_t id = 1; id <= 4; ++id) it.spawned(*it.zygote, "report", id);
    it.check_all_answered();
    it.check_nothing_left();
  }
}

} // namespace coppice
