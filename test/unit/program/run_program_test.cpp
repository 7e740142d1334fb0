// Programs that run once.
#include "support/catch.hpp"
#include "unit/os/processes.hpp"

#include <coppice/runtime/os/fd_table.hpp>
#include <coppice/runtime/os/signal_source.hpp>
#include <coppice/runtime/program/run_program.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <csignal>
#include <cstdlib>

namespace coppice {
namespace {

using namespace std::chrono_literals;
using kind = os::exit_status::kind;

program_call helper(std::vector<std::string> words) {
  program_call call;
  call.executable = PROGRAM_HELPER;
  call.arguments = std::move(words);
  return call;
}

struct world {
  asio::io_context loop{1};
  world() { os::reset_signals(); } // as every process of ours does

  result<program_outcome> run(program_call call) {
    std::optional<result<program_outcome>> got;
    run_program(loop, std::move(call), [&](result<program_outcome> how) { got = std::move(how); });
    CHECK_FALSE(got);
    test::run_until(loop, [&] { return got.has_value(); });
    test::run_ready(loop);
    return *std::move(got);
  }
};

} // namespace

TEST_CASE("a program's exit code and both of its streams come back") {
  world it;
  const auto done = it.run(helper({"line=hello", "error=oh", "line=again", "exit=3"}));
  REQUIRE(done);
  CHECK(done->status == os::exit_status{kind::exited, 3, false});
  CHECK(done->out == "hello\nagain\n");
  CHECK(done->err == "oh\n");
  CHECK(done->out_left_out == 0);
  CHECK_FALSE(done->timed_out);
  CHECK(test::has_no_children());
}

TEST_CASE("a program that is killed comes back with the signal") {
  world it;
  const auto done = it.run(helper({"raise=9"}));
  REQUIRE(done);
  CHECK(done->status == os::exit_status{kind::signaled, SIGKILL, false});
}

TEST_CASE("a program that is not there, or may not be run, is an error that says so") {
  world it;
  REQUIRE(it.run(helper({"exit=0"}))); // what the loop itself opens is open from here on
  const auto before = os::open_descriptors();
  program_call call;
  call.executable = "coppice-no-such-program";
  CHECK(it.run(call).error().message() ==
        "start coppice-no-such-program: No such file or directory");
  call.executable = "/etc/passwd";
  CHECK(it.run(call).error().message() == "start /etc/passwd: Permission denied");
  call.executable = "sh";
  call.settings.directory = "/nonexistent";
  CHECK(it.run(call).error().message() == "chdir /nonexistent: No such file or directory");
  call.settings.directory = "";
  call.settings.nice = 99;
  CHECK(it.run(call).error().message() == "start sh: nice is not within -20 and 19");
  CHECK(os::open_descriptors() == before);
  CHECK(test::has_no_children());
}

TEST_CASE("output beyond the bound is counted and dropped, and the program does not wait for it") {
  world it;
  auto call = helper({"print=3000000", "error=end", "exit=0"});
  call.max_output = 1000;
  const auto done = it.run(call);
  REQUIRE(done);
  CHECK(done->status.well());
  CHECK(done->out == std::string(1000, 'x'));
  CHECK(done->out_left_out == 2'999'000);
  CHECK(done->err == "end\n");
}

TEST_CASE("what a shell understands, a shell runs") {
  world it;
  const auto done = it.run(shell("echo one | tr o 0; exit 4"));
  REQUIRE(done);
  CHECK(done->out == "0ne\n");
  CHECK(done->status.code_or_signal == 4);
}

TEST_CASE("input is read to its end, or is empty") {
  world it;
  auto call = helper({"read", "exit=0"});
  CHECK(it.run(call)->out == "0\n");
  call.input = std::string(1'000'000, 'y');
  CHECK(it.run(call)->out == "1000000\n");
}

TEST_CASE("a program that closes its input, or ends without reading it, harms nobody") {
  world it;
  for (const char* how : {"close-input", "nap=1"}) {
    auto call = helper({how, "nap=20", "line=still here", "exit=0"});
    call.input = std::string(1'000'000, 'y');
    const auto done = it.run(call);
    REQUIRE(done);
    CHECK(done->out == "still here\n");
    CHECK(done->status.well());
  }
}

TEST_CASE("a timeout ends the program and its group, by SIGKILL if it must") {
  world it;
  auto call = helper({"child"});
  call.timeout = 50ms;
  const auto done = it.run(call);
  REQUIRE(done);
  CHECK(done->timed_out);
  CHECK(done->status.text() == "SIGTERM");

  // It may be told to end before it has come to ignoring that: then it gets more time.
  std::optional<std::string> how;
  for (auto time = 50ms; how != "SIGKILL" && time < test::patience; time *= 4) {
    auto stubborn = helper({"ignore=15", "child"});
    stubborn.timeout = time;
    stubborn.grace = 50ms;
    const auto ended = it.run(stubborn);
    REQUIRE(ended);
    CHECK(ended->timed_out);
    how = ended->status.text();
  }
  CHECK(how == "SIGKILL");
}

TEST_CASE("the end of a program is its own, not that of what it leaves behind with its output") {
  world it;
  const auto done = it.run(helper({"line=x", "child", "exit=0"}));
  REQUIRE(done);
  CHECK(done->out == "x\n");
}

TEST_CASE("a program has no descriptor but 0, 1 and 2, and no letter of ours") {
  world it;
  ::setenv("COPPICE_TEST_LETTER", "x", 1);
  const os::unique_fd leaked{::open("/dev/null", O_RDONLY)}; // not closed on exec
  auto call = helper({"fds", "env", "exit=0"});
  call.settings.set = {"TEST_SET=1"};
  const auto done = it.run(call);
  ::unsetenv("COPPICE_TEST_LETTER");
  REQUIRE(done);
  CHECK(done->out.starts_with("fds: 0 1 2\n"));
  CHECK(done->out.find("COPPICE_") == std::string::npos);
  CHECK(done->out.find("TEST_SET=1\n") != std::string::npos);
}

TEST_CASE("many programs run side by side, and each has its own answer") {
  world it;
  int done = 0;
  for (int n = 0; n < 30; ++n)
    run_program(it.loop, helper({"line=" + std::to_string(n), "exit=" + std::to_string(n)}),
                [&, n](result<program_outcome> how) {
                  REQUIRE(how);
                  CHECK(how->status.code_or_signal == n);
                  CHECK(how->out == std::to_string(n) + "\n");
                  ++done;
                });
  test::run_until(it.loop, [&] { return done == 30; });
}

TEST_CASE("a coroutine waits for a program, and can be cancelled") {
  world it;
  std::string out;
  const auto hello = helper({"line=hi", "exit=0"});
  asio::co_spawn(
      it.loop,
      [&]() -> asio::awaitable<void> {
        const auto done = co_await run_program(it.loop, hello, asio::use_awaitable);
        if (done) out = done->out;
      },
      asio::detached);
  test::run_until(it.loop, [&] { return !out.empty(); });
  CHECK(out == "hi\n");

  asio::cancellation_signal stop;
  std::optional<result<program_outcome>> got;
  run_program(it.loop, helper({}),
              asio::bind_cancellation_slot(
                  stop.slot(), [&](result<program_outcome> how) { got = std::move(how); }));
  stop.emit(asio::cancellation_type::terminal);
  test::run_until(it.loop, [&] { return got.has_value(); });
  REQUIRE(*got);
  CHECK((*got)->cancelled);
  CHECK_FALSE((*got)->timed_out);
}

TEST_CASE("a loop that is destroyed takes its programs with it, and calls nobody") {
  const auto before = os::open_descriptors();
  bool called = false;
  {
    world it;
    auto call = helper({"read"});
    call.input = std::string(1'000'000, 'y');
    run_program(it.loop, call, [&](const result<program_outcome>&) { called = true; });
    test::run_ready(it.loop);
    CHECK_FALSE(test::has_no_children());
  }
  CHECK_FALSE(called);
  CHECK(test::has_no_children());
  CHECK(os::open_descriptors() == before);
}

} // namespace coppice
