// Workers that fall ill, in real processes.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"

#include <csignal>
#include <set>
#include <string>
#include <vector>

using namespace coppice;
using test::program;

namespace {

std::vector<std::string> unwell(const std::vector<std::string>& settings) {
  std::vector<std::string> argv{UNWELL};
  argv.insert(argv.end(), settings.begin(), settings.end());
  return argv;
}

/// The next request's worker is asked for something that it does not survive.
pid_t ask_for_trouble(const program& p, test::http_client& client, const std::string& request) {
  const pid_t pid = test::pid_answering(p.port());
  REQUIRE(pid > 0);
  REQUIRE(client.send(request + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
  return pid;
}

/// Waits until one worker serves, and it is not `old`.
pid_t successor_of(program& p, pid_t old) {
  pid_t now = 0;
  REQUIRE(test::eventually([&] {
    p.read_output();
    now = test::pid_answering(p.port());
    return now > 0 && now != old;
  }));
  return now;
}

} // namespace

TEST_CASE("a worker that hangs is aborted, and a request that two hang over is refused") {
  program p{unwell({"workers=1", "hang_timeout=3000"})};
  p.wait_ready();
  test::http_client client{p.port(), 30'000};
  const pid_t hung = ask_for_trouble(p, client, "GET /hang");
  const auto got = client.receive();
  REQUIRE(got);
  CHECK(got->status == 500);
  CHECK(p.wait_output("hung: no heartbeat for 3 s (SIGABRT"));
  CHECK(p.wait_output("refused from now on: GET /hang HTTP/1.1"));
  successor_of(p, hung);
  CHECK(test::process_state(hung) == 0);
}

TEST_CASE("a worker that hangs and does not hear SIGABRT is killed") {
  program p{unwell({"workers=1", "hang_timeout=3000"})};
  p.wait_ready();
  test::http_client client{p.port(), 30'000};
  const pid_t deaf = ask_for_trouble(p, client, "POST /deaf");
  const auto got = client.receive();
  REQUIRE(got);
  CHECK(got->status == 502); // it must not be run twice
  CHECK(p.wait_output("hung: no heartbeat for 3 s (SIGKILL"));
  successor_of(p, deaf);
}

TEST_CASE("a worker that was stopped with SIGSTOP is a worker that hangs") {
  program p{unwell({"workers=1", "hang_timeout=3000"})};
  p.wait_ready();
  const pid_t stopped = test::pid_answering(p.port());
  REQUIRE(::kill(stopped, SIGSTOP) == 0);
  CHECK(p.wait_output("hung: no heartbeat for 3 s (SIGABRT"));
  successor_of(p, stopped);
}

TEST_CASE("workers that were stopped together with their primary do not hang") {
  program p{unwell({"workers=2", "hang_timeout=3000"})};
  p.wait_ready();
  const auto before = p.workers();
  REQUIRE(before.size() == 2);
  for (const pid_t pid : before) REQUIRE(::kill(pid, SIGSTOP) == 0);
  p.signal(SIGSTOP);
  CHECK_FALSE(p.wait_exit_within(std::chrono::seconds{6})); // twice as long as the time-out
  p.signal(SIGCONT);
  for (const pid_t pid : before) REQUIRE(::kill(pid, SIGCONT) == 0);
  CHECK_FALSE(p.wait_exit_within(std::chrono::seconds{3}));
  CHECK(p.workers() == before);
}

namespace {

/// Asks until another worker than `old` answers; every request must be answered. How many were.
int ask_until_replaced(program& p, pid_t old) {
  int asked = 0;
  REQUIRE(test::eventually([&] {
    p.read_output();
    const auto got = test::get(p.port(), "/");
    REQUIRE(got);
    ++asked;
    return std::stoi(got->body) != old;
  }));
  return asked;
}

} // namespace

TEST_CASE("a worker that holds too much memory is replaced before it goes") {
  program p{unwell({"workers=1", "max_memory=150"})};
  p.wait_ready();
  const pid_t old = test::pid_answering(p.port());
  REQUIRE(test::get(p.port(), "/grow?mib=200"));
  ask_until_replaced(p, old);
  CHECK(p.wait_output("is replaced because of max_memory 150 MiB exceeded (rss 2"));
  REQUIRE(test::eventually([&] { return test::process_state(old) == 0; }));
  CHECK(p.output().find("restarted") == std::string::npos);
}

TEST_CASE("a worker is replaced when its time is over, and when it has served enough") {
  const std::string limit = GENERATE("max_lifetime=2000", "max_requests=50");
  program p{unwell({"workers=1", limit})};
  p.wait_ready();
  const pid_t old = test::pid_answering(p.port());
  const int asked = ask_until_replaced(p, old);
  CHECK(p.wait_output(limit.starts_with("max_l") ? "max_lifetime 2 s reached (up for "
                                                 : "max_requests 50 reached ("));
  if (limit.starts_with("max_r")) CHECK(asked > 50);
}

TEST_CASE("a worker that retires is replaced first, and finishes what it has") {
  program p{unwell({"workers=1"})};
  p.wait_ready();
  const pid_t old = test::pid_answering(p.port());
  test::http_client slow{p.port()};
  REQUIRE(slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"));
  const auto asked = test::get(p.port(), "/retire");
  REQUIRE(asked);
  CHECK(std::stoi(asked->body) == old);
  ask_until_replaced(p, old);
  const auto got = slow.receive();
  REQUIRE(got);
  CHECK(std::stoi(got->body) == old);
  REQUIRE(test::eventually([&] { return test::process_state(old) == 0; }));
  CHECK(p.wait_output("is replaced because of a request asked for it"));
}

TEST_CASE("an exception that escapes a handler costs one client its answer, and nobody else") {
  program p{unwell({"workers=1"})};
  p.wait_ready();
  const std::string where = GENERATE("/throw", "/post");
  const pid_t old = test::pid_answering(p.port());
  test::http_client slow{p.port()};
  REQUIRE(slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"));
  const auto thrown = test::get(p.port(), where);
  REQUIRE(thrown);
  CHECK(thrown->status == (where == "/throw" ? 500 : 200));
  ask_until_replaced(p, old);
  const auto got = slow.receive();
  REQUIRE(got);
  CHECK(std::stoi(got->body) == old);
  CHECK(p.wait_output(where == "/throw" ? "the handler's own words" : "out of the loop"));
}

TEST_CASE("a pool whose workers are replaced all the time answers every request") {
  program p{unwell({"workers=2", "max_requests=20"})};
  p.wait_ready();
  std::set<pid_t> seen;
  test::http_client client{p.port()}; // its connection goes from worker to worker
  REQUIRE(test::eventually([&] {
    p.read_output();
    const auto kept = client.get("/");
    const auto fresh = test::get(p.port(), "/");
    REQUIRE(kept);
    REQUIRE(fresh);
    seen.insert(std::stoi(kept->body));
    seen.insert(std::stoi(fresh->body));
    return seen.size() >= 8;
  }));
  CHECK(p.output().find("restarted") == std::string::npos);
}
