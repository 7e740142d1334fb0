// Load-balancing policies with real processes and clients.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <sys/socket.h>
#include <utility>
#include <vector>

using namespace coppice;
using test::program;

namespace {

const std::string loopback = "tcp://127.0.0.1:0";

std::vector<std::string> hello(unsigned workers, const std::string& policy) {
  return {HTTP_HELLO, "--listen", loopback, "--workers", std::to_string(workers),
          "--policy", policy};
}

/// "web/2" of "hello from web/2, pid 71, ...", of "web/2: hello" and of "web/2"; empty: no answer.
std::string worker_in(const std::string& body) {
  const auto at = body.find("web/");
  return at == body.npos ? "" : body.substr(at, body.find_first_not_of("0123456789", at + 4) - at);
}

/// A connection of its own, from this address of the loopback net.
std::string asks_from(const std::string& address, int port) {
  os::unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in own{};
  own.sin_family = AF_INET;
  REQUIRE(::inet_pton(AF_INET, address.c_str(), &own.sin_addr) == 1);
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  REQUIRE(::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size()));
  std::string all;
  for (;;) {
    pollfd p{socket.get(), POLLIN, 0};
    if (::poll(&p, 1, 10'000) <= 0) return {};
    char bytes[4096];
    const auto n = ::recv(socket.get(), bytes, sizeof bytes, 0);
    if (n <= 0) return worker_in(all);
    all.append(bytes, static_cast<std::size_t>(n));
  }
}

std::string with_cookie(const std::string& value) {
  return "GET / HTTP/1.1\r\nHost: x\r\nCookie: lang=en; client=" + value + "\r\n\r\n";
}
/// A connection of its own.
std::string asks_as(const std::string& value, int port) {
  test::http_client client{port};
  if (!client.send(with_cookie(value))) return {};
  const auto got = client.receive();
  return got ? worker_in(got->body) : "";
}

pid_t pid_of(const program& p, const std::string& worker) {
  const auto found = p.children("coppice: " + worker);
  return found.size() == 1 ? found[0] : 0;
}

/// Ends a worker for good or for a while, whoever asked for it.
void kill_worker(const program& p, const std::string& worker) {
  const pid_t pid = pid_of(p, worker);
  REQUIRE(pid > 0);
  REQUIRE(::kill(pid, SIGKILL) == 0);
}

} // namespace

TEST_CASE("every policy of the command line serves, and an unknown one is refused") {
  for (const std::string policy :
       {"round_robin", "least_connections", "power_of_two_choices", "ip_hash", "sticky:c"}) {
    INFO(policy);
    program p{hello(3, policy)};
    p.wait_ready();
    for (int i = 0; i < 20; ++i) CHECK(test::pid_answering(p.port()) > 0);
    p.signal(SIGTERM);
    CHECK(p.wait_exit().text() == "exit code 0");
  }
  program unknown{hello(3, "fastest")};
  CHECK(unknown.wait_exit().text() == "exit code 2");
  CHECK(unknown.output().find("there is no policy 'fastest'") != std::string::npos);
  program nameless{hello(3, "sticky:")};
  CHECK(nameless.wait_exit().text() == "exit code 2");
  CHECK(nameless.output().find("policy = sticky_cookie") != std::string::npos);
}

TEST_CASE("least connections: who holds fewer gets the next") {
  program p{hello(2, "least_connections")};
  p.wait_ready();
  REQUIRE(test::eventually([&] { return p.spare() != 0; })); // no descriptor comes after that
  std::map<std::string, std::vector<std::unique_ptr<test::http_client>>> held;
  for (int i = 0; i < 10; ++i) {
    auto client = std::make_unique<test::http_client>(p.port());
    const auto got = client->get("/");
    REQUIRE(got);
    held[worker_in(got->body)].push_back(std::move(client));
  }
  CHECK(held["web/1"].size() == 5);
  CHECK(held["web/2"].size() == 5);
  // What one of them loses, it gets again, as soon as the primary has let go of it.
  const auto files = test::open_files(p.pid());
  held["web/2"].clear();
  REQUIRE(test::eventually([&] { return test::open_files(p.pid()) <= files - 5; }));
  for (int i = 0; i < 5; ++i) {
    held["web/2"].push_back(std::make_unique<test::http_client>(p.port()));
    const auto got = held["web/2"].back()->get("/");
    REQUIRE(got);
    CHECK(worker_in(got->body) == "web/2");
  }
}

TEST_CASE("ip hash: an address keeps its slot over the worker's death, and others do not move") {
  program p{hello(3, "ip_hash")};
  p.wait_ready();
  std::map<std::string, std::string> home;
  std::set<std::string> used;
  for (int i = 1; i <= 20; ++i) {
    const auto address = "127.0.0." + std::to_string(i);
    home[address] = asks_from(address, p.port());
    REQUIRE_FALSE(home[address].empty());
    used.insert(home[address]);
    CHECK(asks_from(address, p.port()) == home[address]);
  }
  CHECK(used.size() == 3);
  const auto victim = home.begin()->second;
  kill_worker(p, victim);
  for (const auto& [address, worker] : home) {
    const auto now = asks_from(address, p.port());
    CHECK_FALSE(now.empty());
    if (worker != victim) CHECK(now == worker);
  }
  for (const auto& [address, worker] : home)
    CHECK(test::eventually([&] { return asks_from(address, p.port()) == worker; }));
}

TEST_CASE(
    "the example sticky: a cookie's clients meet the same worker, which counts their visits") {
  program p{{STICKY, "--listen", loopback, "--workers", "3"}};
  p.wait_ready();
  std::map<std::string, std::string> home;
  std::set<std::string> used;
  for (int i = 0; i < 20; ++i) {
    const auto name = "client" + std::to_string(i);
    home[name] = asks_as(name, p.port());
    used.insert(home[name]);
  }
  CHECK(used == std::set<std::string>{"web/1", "web/2", "web/3"});
  for (const auto& [name, worker] : home) {
    test::http_client client{p.port()};
    REQUIRE(client.send(with_cookie(name)));
    const auto got = client.receive();
    REQUIRE(got);
    CHECK(got->body == worker + ": hello " + name + ", this is your visit number 2\n");
  }
  kill_worker(p, home["client0"]);
  for (const auto& [name, worker] : home) {
    const auto now = asks_as(name, p.port());
    CHECK_FALSE(now.empty());
    if (worker != home["client0"]) CHECK(now == worker);
  }
  CHECK(test::eventually([&] { return asks_as("client0", p.port()) == home["client0"]; }));
  // Without the cookie: in turn.
  std::set<std::string> turns;
  for (int i = 0; i < 3; ++i) turns.insert(worker_in(test::get(p.port(), "/")->body));
  CHECK(turns.size() == 3);
}

TEST_CASE("sticky: an idle connection of a dead worker goes on in another one") {
  program p{{STICKY, "--listen", loopback, "--workers", "2"}};
  p.wait_ready();
  test::http_client client{p.port()};
  REQUIRE(client.send(with_cookie("ann")));
  const auto first = client.receive();
  REQUIRE(first);
  kill_worker(p, worker_in(first->body));
  REQUIRE(client.send(with_cookie("ann")));
  const auto second = client.receive();
  REQUIRE(second);
  CHECK_FALSE(worker_in(second->body).empty());
}

TEST_CASE("sticky: a head that comes in pieces is found, and stays in the socket for the worker") {
  program p{{STICKY, "--listen", loopback, "--workers", "3"}};
  p.wait_ready();
  const auto home = asks_as("ann", p.port());
  for (const std::size_t cut : {std::size_t{1}, std::size_t{16}, std::size_t{50}}) {
    test::http_client slow{p.port()};
    const auto request = with_cookie("ann");
    REQUIRE(slow.send(request.substr(0, cut)));
    // Others are served meanwhile.
    CHECK(asks_as("ann", p.port()) == home);
    REQUIRE(slow.send(request.substr(cut)));
    const auto got = slow.receive();
    REQUIRE(got);
    CHECK(worker_in(got->body) == home);
  }
}

TEST_CASE("sticky: silent clients are given out in the end, and those that leave are forgotten") {
  program p{{STICKY, "--listen", loopback, "--workers", "2"}};
  p.wait_ready();
  (void)asks_as("ann", p.port());
  REQUIRE(test::eventually([&] { return p.spare() != 0; }));
  REQUIRE(p.wait_quiet());
  // Among them may be the descriptor of the served connection, which is the primary's until it
  // looks.
  const auto before = test::open_files(p.pid());
  {
    std::vector<std::unique_ptr<test::http_client>> silent;
    for (int i = 0; i < 50; ++i) silent.push_back(std::make_unique<test::http_client>(p.port()));
    REQUIRE(test::eventually([&] { return test::open_files(p.pid()) >= before + 49; }));
    CHECK_FALSE(asks_as("ben", p.port()).empty());
  }
  CHECK(test::eventually([&] { return test::open_files(p.pid()) <= before; }));
  test::http_client late{p.port()};
  p.signal(SIGTERM); // it must not wait for this one's time
  CHECK(p.wait_exit().text() == "exit code 0");
}

TEST_CASE("sticky: a request that is under way when the service stops is answered") {
  program p{{STICKY, "--listen", loopback, "--workers", "2"}};
  p.wait_ready();
  test::http_client client{p.port()};
  const auto request = with_cookie("ann");
  REQUIRE(client.send(request.substr(0, 20)));
  REQUIRE(test::eventually([&] { return !asks_as("ben", p.port()).empty(); }));
  p.signal(SIGTERM);
  REQUIRE(p.wait_output("stopping"));
  REQUIRE(client.send(request.substr(20)));
  const auto got = client.receive();
  REQUIRE(got);
  CHECK(got->body.find("hello ann") != std::string::npos);
  CHECK(p.wait_exit().text() == "exit code 0");
}

TEST_CASE(
    "the example custom_dispatch: one worker is kept for operators, others go there in need") {
  program p{{CUSTOM_DISPATCH, "--listen", loopback, "--operators", loopback, "--workers", "3"}};
  p.wait_ready();
  const auto at = p.output().find("listen=tcp://127.0.0.1:");
  REQUIRE(at != std::string::npos);
  const int operators = std::atoi(p.output().c_str() + at + 23);
  REQUIRE(operators != p.port());
  std::set<std::string> used;
  for (int i = 0; i < 12; ++i) {
    CHECK(worker_in(test::get(operators, "/")->body) == "web/1");
    used.insert(worker_in(test::get(p.port(), "/")->body));
  }
  CHECK(used == std::set<std::string>{"web/2", "web/3"});
  kill_worker(p, "web/1");
  CHECK(test::get(operators, "/").has_value());
  CHECK(test::eventually([&] {
    return worker_in(test::get(operators, "/").value_or(test::answer{}).body) == "web/1";
  }));
}

TEST_CASE("echo takes a policy, too") {
  program p{{ECHO, "--listen", loopback, "--workers", "2", "--policy", "least_connections"}};
  p.wait_ready();
  test::http_client client{p.port()};
  REQUIRE(client.send("hello"));
  client.shut_write();
  CHECK(client.receive_all() == "hello");
}
