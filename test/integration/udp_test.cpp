// A udp service with real processes.
#include "support/catch.hpp"
#include "support/program.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <vector>

using namespace coppice;
using namespace std::chrono_literals;
using test::program;

namespace {

std::vector<std::string> udp_echo(unsigned workers, std::vector<std::string> more = {}) {
  std::vector<std::string> argv{UDP_ECHO, "--listen", "udp://127.0.0.1:0", "--workers",
                                std::to_string(workers)};
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

class udp_client {
public:
  explicit udp_client(int port) : socket_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  bool send(const std::string& bytes) {
    return ::send(socket_.get(), bytes.data(), bytes.size(), 0) ==
           static_cast<ssize_t>(bytes.size());
  }
  std::optional<std::string> receive(std::chrono::milliseconds time) {
    pollfd p{socket_.get(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(time.count())) != 1) return std::nullopt;
    std::string bytes(65536, '\0');
    const auto n = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (n < 0) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(n));
    return bytes;
  }
  /// As a client of UDP must: asks until it is answered. Nothing: it gave up. An answer to an
  /// earlier asking may come as well; those are told by `expected`, if it is not empty.
  std::optional<std::string> ask(const std::string& bytes, const std::string& expected = {}) {
    const auto until = std::chrono::steady_clock::now() + test::patience;
    while (std::chrono::steady_clock::now() < until) {
      send(bytes);
      ++sent_;
      for (auto got = receive(200ms); got; got = receive(0ms))
        if (expected.empty() || *got == expected) return got;
    }
    return std::nullopt;
  }
  /// Forgets answers that came late.
  void settle() {
    while (receive(0ms)) {
    }
  }
  [[nodiscard]] int sent() const { return sent_; }

private:
  os::unique_fd socket_;
  int sent_ = 0;
};

/// Of "echo/1 71".
pid_t pid_in(const std::optional<std::string>& answer) {
  return answer ? std::atoi(answer->substr(answer->find(' ')).c_str()) : 0;
}

} // namespace

TEST_CASE("datagrams come back, whatever their size, and a stop ends well") {
  program p{udp_echo(2)};
  p.wait_ready();
  CHECK(p.output().find("listen=udp://127.0.0.1:" + std::to_string(p.port()) + " ") !=
        std::string::npos);
  udp_client c{p.port()};
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1400}, std::size_t{65507}}) {
    const std::string bytes(size, 'u');
    CHECK(c.ask(bytes) == bytes);
    c.settle();
  }
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}

TEST_CASE("every worker receives from the same socket: while one stands still, the other answers") {
  program p{udp_echo(2)};
  p.wait_ready();
  const auto workers = p.workers("echo");
  REQUIRE(workers.size() == 2);
  for (const int still : {0, 1}) {
    REQUIRE(::kill(workers[static_cast<std::size_t>(still)], SIGSTOP) == 0);
    REQUIRE(test::eventually(
        [&] { return test::process_state(workers[static_cast<std::size_t>(still)]) == 'T'; }));
    udp_client c{p.port()};
    for (int i = 0; i < 5; ++i)
      CHECK(pid_in(c.ask("?")) == workers[static_cast<std::size_t>(1 - still)]);
    REQUIRE(::kill(workers[static_cast<std::size_t>(still)], SIGCONT) == 0);
  }
}

TEST_CASE("many clients are answered by several workers") {
  program p{udp_echo(4)};
  p.wait_ready();
  std::set<pid_t> answering;
  std::vector<udp_client> clients;
  for (int i = 0; i < 16; ++i) clients.emplace_back(p.port());
  // Who is first at the socket is up to the kernel's scheduler: it takes some rounds.
  REQUIRE(test::eventually([&] {
    for (auto& c : clients) c.send("?");
    for (auto& c : clients)
      while (const auto got = c.receive(5ms)) answering.insert(pid_in(got));
    return answering.size() >= 2;
  }));
}

TEST_CASE("workers are killed while clients ask, and every question is answered in the end") {
  program p{udp_echo(2, {"--log", "error"})};
  p.wait_ready();
  udp_client c{p.port()};
  REQUIRE(c.ask("warm"));
  for (int round = 0; round < 50; ++round) {
    const pid_t victim = pid_in(c.ask("?"));
    c.settle();
    REQUIRE(victim > 0);
    REQUIRE(::kill(victim, SIGKILL) == 0);
    for (int i = 0; i < 5; ++i) {
      const auto text = std::to_string(round) + "." + std::to_string(i);
      CHECK(c.ask(text, text) == text);
    }
    c.settle();
    REQUIRE(test::eventually([&] {
      const auto now = p.workers("echo");
      return now.size() == 2 && std::find(now.begin(), now.end(), victim) == now.end();
    }));
  }
}

TEST_CASE("a pool of one whose worker is killed keeps what comes meanwhile") {
  program p{udp_echo(1)};
  p.wait_ready();
  for (int round = 0; round < 20; ++round) {
    udp_client c{p.port()};
    const pid_t victim = pid_in(c.ask("?"));
    REQUIRE(::kill(victim, SIGSTOP) == 0);
    REQUIRE(test::eventually([&] { return test::process_state(victim) == 'T'; }));
    c.settle();
    CHECK(c.send("kept")); // the socket is the primary's, too
    REQUIRE(::kill(victim, SIGKILL) == 0);
    CHECK(c.receive(test::patience) == "kept");
  }
}

TEST_CASE("deaths of udp workers leak nothing") {
  program p{udp_echo(2, {"--log", "error"})};
  p.wait_ready();
  const auto kill_one = [&] {
    udp_client c{p.port()};
    const pid_t victim = pid_in(c.ask("?"));
    REQUIRE(victim > 0);
    REQUIRE(::kill(victim, SIGKILL) == 0);
    REQUIRE(test::eventually([&] {
      const auto now = p.workers("echo");
      return now.size() == 2 && std::find(now.begin(), now.end(), victim) == now.end();
    }));
  };
  const auto quiet = [&] {
    return test::eventually([&] { return p.spare() != 0; }) && p.wait_quiet();
  };
  for (int i = 0; i < 5; ++i) kill_one();
  REQUIRE(quiet());
  const auto files = test::open_files(p.pid());
  const auto worker_files = test::open_files(p.workers("echo").front());
  for (int i = 0; i < 100; ++i) kill_one();
  REQUIRE(quiet());
  CHECK(test::open_files(p.pid()) == files);
  for (const pid_t worker : p.workers("echo")) CHECK(test::open_files(worker) == worker_files);
}

TEST_CASE("a worker that drains reads no more, and leaves what comes to the others") {
  program p{udp_echo(2, {"--log", "error"})};
  p.wait_ready();
  udp_client c{p.port()};
  for (int round = 0; round < 20; ++round) {
    const pid_t drained = pid_in(c.ask("?"));
    c.settle();
    REQUIRE(::kill(drained, SIGTERM) == 0); // to a worker: it drains and ends, and is replaced
    for (int i = 0; i < 5; ++i) CHECK(c.ask("x" + std::to_string(i)));
    c.settle();
    REQUIRE(test::eventually([&] {
      const auto now = p.workers("echo");
      return now.size() == 2 && std::find(now.begin(), now.end(), drained) == now.end();
    }));
  }
}

TEST_CASE("an address in use is said before anything runs") {
  program first{udp_echo(1)};
  first.wait_ready();
  const auto endpoint = "udp://127.0.0.1:" + std::to_string(first.port());
  program second{{UDP_ECHO, "--listen", endpoint, "--workers", "1"}};
  CHECK(second.wait_exit().text() == "exit code 1");
  CHECK(second.output().find("bind " + endpoint + ": Address already in use") != std::string::npos);
  udp_client c{first.port()};
  CHECK(c.ask("still there") == "still there");
}

TEST_CASE("a body that serves no datagrams says so at the start") {
  program p{{HTTP_HELLO, "--listen", "udp://127.0.0.1:0", "--workers", "1"}};
  CHECK(p.wait_output("the body serves none: it does not call on_datagram"));
}

TEST_CASE("policies and limits of connections are not for datagrams") {
  for (const auto& [option, value, said] : std::vector<std::array<std::string, 3>>{
           {"--policy", "ip_hash", "policy = ip_hash: is for pools that listen"},
           {"--max-connections", "5", "max_connections = 5: is for pools that listen"}}) {
    program p{udp_echo(1, {option, value})};
    CHECK(p.wait_exit().text() == "exit code 2");
    CHECK(p.output().find(said) != std::string::npos);
  }
}
