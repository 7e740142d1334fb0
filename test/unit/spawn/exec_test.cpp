// Workers that come by exec.
#include "spawn_fixture.hpp"

#include <coppice/runtime/spawn/exec_spawner.hpp>
#include <coppice/runtime/spawn/program_start.hpp>

#include <array>
#include <csignal>

namespace coppice {
namespace {

using namespace spawn_test;

struct exec_fixture : spawn_fixture {
  std::optional<exec_spawner> exec;
  exec_fixture() { exec.emplace(loop, log, exec_options{SPAWN_HELPER, {"helper"}}); }
};

} // namespace

TEST_CASE("an exec'd worker is the primary's child, knows who it is, and has nothing but its own") {
  const os::unique_fd leaked{::open("/dev/null", O_RDONLY)}; // not closed on exec
  exec_fixture it;
  auto& worker = it.spawned(*it.exec, "report", 2);
  const auto report = worker.hears();
  INFO(report);
  CHECK(field(report, "name") == "report/2");
  CHECK(field(report, "id") == "2");
  CHECK(field(report, "incarnation") == "12");
  CHECK(field(report, "pid") == std::to_string(worker.child->pid()));
  CHECK(field(report, "ppid") == std::to_string(::getpid()));
  CHECK(field(report, "primary") == std::to_string(::getpid()));
  CHECK(field(report, "leads_session") == "1");
  CHECK(field(report, "letters") == "0");
  CHECK(field(report, "signals") == "0");
  CHECK(field(report, "cmdline") == "coppice: report/2");
  CHECK(field(report, "in") == "/dev/null");
  CHECK(field(report, "fds") == "0 1 2 control data ledger ");
  worker.lets_go();
}

TEST_CASE("an exec'd worker's descriptors 0, 1 and 2 are those of its request") {
  exec_fixture it;
  pipe_ends in, out, err;
  auto& worker = it.spawn(*it.exec, "copies_input", 1, std::move(in.read), std::move(out.write),
                          std::move(err.write));
  REQUIRE(::write(in.write.get(), "hello", 5) == 5);
  in.write.reset();
  it.until_answered(worker);
  CHECK(worker.ends().well());
  CHECK(end_of_pipe(out.read.get()) == "out:hello");
  CHECK(end_of_pipe(err.read.get()) == "err:hello");
}

TEST_CASE("a program that is not there fails the request") {
  exec_fixture it;
  it.exec.emplace(it.loop, it.log, exec_options{"/nonexistent/program", {}});
  auto& worker = it.spawn(*it.exec, "report");
  it.until_answered(worker);
  REQUIRE(worker.failed);
  CHECK(worker.failed->message() == "start /nonexistent/program: No such file or directory");
}

TEST_CASE("a request after stop fails") {
  exec_fixture it;
  it.exec->stop();
  auto& worker = it.spawn(*it.exec, "report", 3);
  it.until_answered(worker);
  REQUIRE(worker.failed);
  CHECK(worker.failed->message() == "spawn report/3: the spawner has stopped");
}

TEST_CASE("an exec spawner that is destroyed takes unanswered workers with it, and calls nobody") {
  const auto before = os::open_descriptors();
  {
    exec_fixture it;
    for (std::uint64_t n = 0; n < 5; ++n) it.spawn(*it.exec, "report", n);
    it.exec.reset();
    test::run_ready(it.loop);
    for (const auto& each : it.all) CHECK(each.answers == 0);
    CHECK(test::has_no_children());
  }
  CHECK(os::open_descriptors() == before);
}

TEST_CASE("a program gets its descriptors at any numbers, in spite of ours") {
  // Ours lie where theirs go, crosswise.
  const int code = test::code_of_child([] {
    int pipes[4];
    if (::pipe(pipes) != 0 || ::pipe(pipes + 2) != 0) return 1;
    for (int& end : pipes) end = ::fcntl(end, F_DUPFD, 100); // away from 3 and 4
    const auto [first, to_first, second, to_second] = pipes;
    ::dup2(to_first, 4);
    ::dup2(to_second, 3);
    program_start program{"/bin/sh",
                          {"sh", "-c", "echo three >&3; echo four >&4; ls /proc/self/fd | wc -l"},
                          {"PATH=/usr/bin:/bin"},
                          {{to_second, 1}, {4, 3}, {3, 4}}};
    auto child = start_program(program);
    if (!child || !test::end_of(*child).well()) return 2;
    const std::array keep{2, first, second};
    os::close_all_but(keep);
    if (end_of_pipe(first) != "three\n") return 3;
    // 0, 1, 2, 3, 4 and the one with which ls lists.
    return end_of_pipe(second) == "four\n6\n" ? 0 : 4;
  });
  CHECK(code == 0);
}

TEST_CASE("a program that is started has default signals, whatever ours are") {
  const int code = test::code_of_child([] {
    ::signal(SIGTERM, SIG_IGN);
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    auto child = start_program({"/bin/sleep", {"sleep", "1000"}, {}, {}});
    if (!child || !child->signal(SIGTERM)) return 1;
    if (!test::readable_within(child->pidfd(), test::patience)) return 2;
    const auto status = child->reap();
    return status && status->how == os::exit_status::kind::signaled ? 0 : 3;
  });
  CHECK(code == 0);
}

TEST_CASE("somebody who only sets the role does not get a worker") {
  const int code = test::code_of_child([] {
    ::setenv("COPPICE_ROLE", "worker", 1);
    ::execl(SPAWN_HELPER, "helper", nullptr);
    return 1;
  });
  CHECK(code == 70);
}

} // namespace coppice
