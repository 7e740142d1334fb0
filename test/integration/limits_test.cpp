// Limits of connections, with real processes and clients.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"

#include <coppice/runtime/net/unix_address.hpp>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace coppice;
using namespace std::chrono_literals;
using test::program;

namespace {

std::vector<std::string> hello(std::vector<std::string> more) {
  std::vector<std::string> argv{HTTP_HELLO, "--listen", "tcp://127.0.0.1:0", "--workers", "2"};
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

using client_ptr = std::unique_ptr<test::http_client>;

/// A client that has been answered, and keeps its connection; its worker's pid.
std::pair<client_ptr, int> served(int port) {
  auto client = std::make_unique<test::http_client>(port);
  const auto got = client->get("/pid");
  REQUIRE(got);
  return {std::move(client), std::atoi(got->body.c_str())};
}

/// A client that has connected and asked, for which the kernel's backlog is enough.
client_ptr waiting(int port) {
  auto client = std::make_unique<test::http_client>(port);
  REQUIRE(client->connected());
  REQUIRE(client->send("GET /pid HTTP/1.1\r\nHost: x\r\n\r\n"));
  return client;
}

bool answered_within(const test::http_client& client, std::chrono::milliseconds time) {
  pollfd p{client.fd(), POLLIN, 0};
  return ::poll(&p, 1, static_cast<int>(time.count())) == 1;
}

/// What the primary spends while everybody waits; a busy loop would spend all of it.
void check_asleep(program& p) {
  const double before = test::cpu_seconds(p.pid());
  CHECK_FALSE(p.wait_exit_within(1s));
  CHECK(test::cpu_seconds(p.pid()) - before < 0.5);
}

} // namespace

TEST_CASE("at a pool's limit nobody more is served before somebody has gone") {
  for (const std::string level : {"none", "request"}) {
    INFO(level);
    program p{hello({"--max-connections", "3", "--protection", level})};
    p.wait_ready();
    std::vector<client_ptr> inside;
    for (int i = 0; i < 3; ++i) inside.push_back(served(p.port()).first);
    std::vector<client_ptr> outside;
    for (int i = 0; i < 5; ++i) outside.push_back(waiting(p.port()));
    check_asleep(p);
    for (const auto& client : outside) CHECK_FALSE(answered_within(*client, 0ms));
    for (const auto& client : inside) CHECK(client->get("/pid")); // who is in is served on
    for (auto& each : outside) { // each one that goes lets one in, in the order in which they came
      inside.erase(inside.begin());
      const auto got = each->receive();
      REQUIRE(got);
      CHECK(got->status == 200);
      inside.push_back(std::move(each));
    }
  }
}

TEST_CASE("the limit of each worker holds for each, and those beyond wait") {
  for (const std::string level : {"none", "request"}) {
    INFO(level);
    program p{hello({"--max-connections-per-worker", "2", "--protection", level})};
    p.wait_ready();
    std::map<int, int> by_worker;
    std::vector<client_ptr> inside;
    for (int i = 0; i < 4; ++i) {
      auto [client, pid] = served(p.port());
      ++by_worker[pid];
      inside.push_back(std::move(client));
    }
    CHECK(by_worker.size() == 2);
    for (const auto& [pid, count] : by_worker) CHECK(count == 2);
    const auto next = waiting(p.port());
    check_asleep(p);
    CHECK_FALSE(answered_within(*next, 0ms));
    inside.pop_back();
    CHECK(next->receive());
  }
}

TEST_CASE("the death of a worker makes room if its connections end, and none if they go on") {
  for (const std::string level : {"none", "request"}) {
    INFO(level);
    program p{hello({"--max-connections", "2", "--protection", level})};
    p.wait_ready();
    auto [first, victim] = served(p.port());
    auto [second, other] = served(p.port());
    CHECK(victim != other);
    const auto next = waiting(p.port());
    REQUIRE(::kill(victim, SIGKILL) == 0);
    if (level == "request") {
      const auto got = first->get("/pid");
      REQUIRE(got);
      CHECK(std::atoi(got->body.c_str()) != victim);
      CHECK_FALSE(answered_within(*next, 300ms));
      first.reset();
    }
    CHECK(next->receive());
  }
}

TEST_CASE("many clients that come and go are all served, never more at once than there may be") {
  program p{hello({"--max-connections", "4", "--log", "error"})};
  p.wait_ready();
  for (int round = 0; round < 50; ++round) {
    std::vector<client_ptr> crowd;
    for (int i = 0; i < 12; ++i) crowd.push_back(waiting(p.port()));
    for (auto& each : crowd) {
      const auto got = each->receive();
      REQUIRE(got);
      CHECK(got->status == 200);
      each.reset();
    }
  }
  REQUIRE(p.wait_quiet());
  check_asleep(p);
}

TEST_CASE("connections over unix sockets are counted, too") {
  const auto endpoint = "unix://@coppice-limits-" + std::to_string(::getpid());
  program p{{HTTP_HELLO, "--listen", endpoint, "--workers", "2", "--max-connections", "2"}};
  p.wait_ready();
  const auto address = unix_address_of(parse_endpoint(endpoint).value());
  const auto client = [&] {
    os::unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    REQUIRE(::connect(socket.get(), address.get(), address.size) == 0);
    auto made = std::make_unique<test::http_client>(std::move(socket));
    REQUIRE(made->send("GET /pid HTTP/1.1\r\nHost: x\r\n\r\n"));
    return made;
  };
  auto first = client();
  auto second = client();
  CHECK(first->receive());
  CHECK(second->receive());
  const auto third = client();
  CHECK_FALSE(answered_within(*third, 300ms));
  second.reset();
  CHECK(third->receive());
}

TEST_CASE("a stop at the limit ends in time, and who is in is finished") {
  program p{hello({"--max-connections", "1"})};
  p.wait_ready();
  test::http_client slow{p.port()};
  REQUIRE(slow.send("GET /slow?ms=300 HTTP/1.1\r\nHost: x\r\n\r\n"));
  const auto next = waiting(p.port());
  CHECK_FALSE(answered_within(*next, 100ms));
  p.signal(SIGTERM);
  const auto got = slow.receive();
  REQUIRE(got);
  CHECK(got->body == "that was slow\n");
  CHECK(p.wait_exit().well());
}

TEST_CASE("a limit of nothing is refused") {
  program p{hello({"--max-connections", "0"})};
  CHECK(p.wait_exit().text() == "exit code 2");
  CHECK(p.output().find("child \"web\": max_connections = 0: nobody would be served") !=
        std::string::npos);
}
