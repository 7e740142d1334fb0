// Real programs behind program_link: readiness, output, ends, what they leave behind.
#include "support/catch.hpp"
#include "support/log_lines.hpp"
#include "unit/os/processes.hpp"

#include <coppice/runtime/os/fd_table.hpp>
#include <coppice/runtime/os/signal_source.hpp>
#include <coppice/runtime/program/orphan_reaper.hpp>
#include <coppice/runtime/program/program_process.hpp>

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/socket.h>

namespace coppice {
namespace {

using namespace std::chrono_literals;

/// A port that was free a moment ago.
int free_port() {
  const os::unique_fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

/// Whoever forked twice has left a process in the middle, whose end nobody has waited for: that is
/// for the reaper.
bool only_zombies_are_left(asio::io_context& loop) {
  orphan_reaper reaper{loop};
  const auto until = std::chrono::steady_clock::now() + test::patience;
  while (!test::has_no_children()) {
    if (std::chrono::steady_clock::now() > until) return false;
    reaper.sweep();
  }
  return true;
}

struct world {
  asio::io_context loop{1};
  test::log_lines log;
  pid_t pid = 0;
  bool ready = false;
  std::optional<error> failed;
  std::optional<os::exit_status> ended;
  std::unique_ptr<program_process> process;

  world() { os::reset_signals(); }

  void start(std::vector<std::string> words, ready_when when = {}, bool capture = false) {
    program_options options;
    options.executable = PROGRAM_HELPER;
    options.arguments = std::move(words);
    options.ready = std::move(when);
    options.capture_output = capture;
    start_with(std::move(options));
  }
  void start_with(program_options options) {
    options.name = "it";
    process = std::make_unique<program_process>(loop, log, std::move(options));
    process->start([this](program_event event) {
      if (const auto* e = std::get_if<program_started>(&event)) pid = e->pid;
      if (std::holds_alternative<program_is_ready>(event)) ready = true;
      if (const auto* e = std::get_if<program_start_failed>(&event)) failed = e->why;
      if (const auto* e = std::get_if<program_ended>(&event)) ended = e->status;
    });
    CHECK(pid == 0); // never from inside the call
  }
  void until_ready() {
    test::run_until(loop, [&] { return ready; });
  }
  void until_ended() {
    test::run_until(loop, [&] { return ended.has_value(); });
  }
  bool logged(std::string_view text) const { return log.has(text); }
};

} // namespace

TEST_CASE("a program is started, ready, and ends as it likes") {
  world it;
  it.start({"exit=3"});
  it.until_ended();
  CHECK(it.pid > 0);
  CHECK(it.ready);
  CHECK(it.ended->text() == "exit code 3");
}

TEST_CASE("a program that cannot be started says why") {
  world it;
  program_options options;
  options.executable = "/nonexistent/program";
  it.start_with(options);
  test::run_until(it.loop, [&] { return it.failed.has_value(); });
  CHECK(it.failed->message() == "start /nonexistent/program: No such file or directory");
  CHECK(it.pid == 0);
}

TEST_CASE("a program that says so is ready, and not before") {
  world it;
  it.start({"notify-other", "nap=50", "line=now", "notify"}, ready_when::notifies, true);
  it.until_ready();
  CHECK(it.logged("it: now")); // printed before it said so
  it.process->signal(SIGTERM);
  it.until_ended();
  CHECK(it.ended->text() == "SIGTERM");
}

TEST_CASE("only the program itself says that it is ready") {
  world it;
  it.start({"notify-from-child", "line=told"}, ready_when::notifies, true);
  test::run_until(it.loop, [&] { return it.logged("it: told") && it.logged("is not heard"); });
  CHECK_FALSE(it.ready);
}

TEST_CASE("a program that listens is ready, on tcp and on a unix socket") {
  char directory[] = "/tmp/coppice-probe-XXXXXX";
  REQUIRE(::mkdtemp(directory) != nullptr);
  const std::string path = std::string{directory} + "/socket";
  const std::string port = std::to_string(free_port());
  for (const auto& [word, where] : {std::pair{"tcp=" + port, "tcp://127.0.0.1:" + port},
                                    std::pair{"unix=" + path, "unix:" + path}}) {
    INFO(word);
    world it;
    it.start({"nap=100", "line=now", word}, ready_when::connects(where), true);
    it.until_ready();
    CHECK(it.logged("it: now"));
  }
  ::unlink(path.c_str());
  ::rmdir(directory);
}

TEST_CASE("a program whose HTTP path answers well is ready; 503 is not well") {
  for (const std::string status : {"200", "302"}) {
    world it;
    const auto port = std::to_string(free_port());
    it.start({"http=" + port + "," + status},
             ready_when::answers("http://127.0.0.1:" + port + "/health"));
    it.until_ready(); // at the second request at the earliest: the first has been answered with 503
  }
  world it;
  const auto port = std::to_string(free_port());
  it.start({"http=" + port + ",404"}, ready_when::answers("http://127.0.0.1:" + port + "/health"));
  for (int n = 0; n < 20; ++n) it.loop.run_for(10ms);
  CHECK_FALSE(it.ready);
}

TEST_CASE("a program has no descriptor but 0, 1 and 2, no letter, and a session of its own") {
  ::setenv("COPPICE_TEST_LETTER", "x", 1);
  world it;
  it.start({"fds", "env", "exit=0"}, {}, true);
  it.until_ended();
  ::unsetenv("COPPICE_TEST_LETTER");
  CHECK(it.logged("it: fds: 0 1 2"));
  CHECK(it.logged("it: INVOCATION_ID="));
  CHECK_FALSE(it.logged("COPPICE_"));
  for (const auto session : {child_session::own, child_session::own_group, child_session::shared}) {
    world one;
    program_options options;
    options.executable = PROGRAM_HELPER;
    options.session = session;
    one.start_with(options);
    one.until_ready();
    CHECK((::getsid(one.pid) == one.pid) == (session == child_session::own));
    CHECK((::getpgid(one.pid) == one.pid) == (session != child_session::shared));
  }
}

TEST_CASE("both streams go into the log by line, bounded, with the program's name") {
  world it;
  it.start({"line=out", "error=err", "print=10000", "line=", "print=3", "exit=0"}, {}, true);
  it.until_ended();
  CHECK(it.logged("it: out"));
  CHECK(it.logged("it: err"));
  CHECK(it.logged("it: " + std::string(4096, 'x') + "..."));
  CHECK(it.logged("it: xxx"));
}

TEST_CASE("a program that is killed goes with its whole group") {
  world it;
  it.start({"ignore=15", "child", "line=up"}, {}, true);
  test::run_until(it.loop, [&] { return it.logged("it: up"); });
  it.process->signal(SIGTERM); // both ignore it
  it.process->signal(SIGKILL);
  it.until_ended();
  CHECK(it.ended->text() == "SIGKILL");
}

// In children of ours, which become subreapers.
TEST_CASE("a program that forks twice is noticed, said, and ended") {
  const int code = test::code_of_child([] {
    become_subreaper();
    world it;
    it.start({"daemon"});
    it.until_ended();
    if (!it.ended->well()) return 1;
    if (!it.logged("left process") || !it.logged("(program_helper) running")) return 2;
    return only_zombies_are_left(it.loop) ? 0 : 3;
  });
  CHECK(code == 0);
}

TEST_CASE("a program that forks twice is noticed while those in between still end") {
  const int code = test::code_of_child([] {
    become_subreaper();
    for (int i = 0; i < 20; ++i) {
      world it;
      it.start({"fat=64", "daemon"});
      it.until_ended();
      if (!it.logged("left process")) return 2;
      if (!only_zombies_are_left(it.loop)) return 3;
    }
    return 0;
  });
  CHECK(code == 0);
}

TEST_CASE("what a program leaves running is killed when it does not end, with all below it") {
  const int code = test::code_of_child([] {
    become_subreaper();
    world it;
    // A stray that ignores SIGTERM and has a child of its own, which is ours when it dies.
    it.start({"ignore=15", "daemon", "child"});
    test::run_until(it.loop, [&] { return it.logged("left process"); });
    it.process->signal(SIGKILL);
    it.until_ended();
    return only_zombies_are_left(it.loop) ? 0 : 3;
  });
  CHECK(code == 0);
}

TEST_CASE("dropping a link kills the program, and leaves no descriptor behind") {
  const auto before = os::open_descriptors();
  {
    world it;
    it.start({"notify"}, ready_when::notifies, true);
    it.until_ready();
    it.process.reset();
    test::run_ready(it.loop);
    CHECK_FALSE(it.ended);
    CHECK(test::has_no_children());
  }
  CHECK(os::open_descriptors() == before);
}

} // namespace coppice
