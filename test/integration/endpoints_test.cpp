// Services on every kind of endpoint, with real processes.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"
#include "support/temporary_directory.hpp"

#include <coppice/runtime/net/listening_socket.hpp>
#include <coppice/runtime/net/unix_address.hpp>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace coppice;
using test::program;

namespace {

std::vector<std::string> hello_on(const std::string& endpoint, std::vector<std::string> more = {}) {
  std::vector<std::string> argv{HTTP_HELLO, "--listen", endpoint, "--workers", "2"};
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

os::unique_fd connect_unix(const std::string& endpoint) {
  const auto address = unix_address_of(parse_endpoint(endpoint).value());
  os::unique_fd client{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  REQUIRE(client);
  if (::connect(client.get(), address.get(), address.size) != 0) client.reset();
  return client;
}

os::unique_fd connect_v6(int port) {
  os::unique_fd client{::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(static_cast<std::uint16_t>(port));
  to.sin6_addr = in6addr_loopback;
  if (!client || ::connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    client.reset();
  return client;
}

int pid_over(os::unique_fd connection) {
  test::http_client client{std::move(connection)};
  const auto got = client.get("/pid");
  return got ? std::atoi(got->body.c_str()) : 0;
}

/// In the child: what it will inherit as this number.
void put_at(int number, int fd) {
  if (fd != number) ::dup2(fd, number);
  ::fcntl(number, F_SETFD, 0);
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

/// What a failed start has said.
std::string refusal(program& p, const std::string& code) {
  CHECK(p.wait_exit().text() == code);
  CHECK(p.output().find("coppice: ready") == std::string::npos);
  return p.output();
}
bool says(const std::string& output, const std::string& text) {
  INFO(output);
  CHECK(output.find(text) != std::string::npos);
  return output.find(text) != std::string::npos;
}

} // namespace

TEST_CASE("a service on a unix socket serves from all workers, and takes its file away") {
  const test::temporary_directory in;
  const auto path = in.file("app.sock");
  const auto endpoint = "unix://" + path;
  program p{hello_on(endpoint + "?mode=0660")};
  p.wait_ready();
  CHECK(p.output().find("listen=" + endpoint + " ") != std::string::npos);
  struct stat found {};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0660);
  std::set<int> pids;
  for (int i = 0; i < 8; ++i) pids.insert(pid_over(connect_unix(endpoint)));
  CHECK(pids.size() == 2);
  CHECK_FALSE(pids.contains(0));
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
  CHECK_FALSE(exists(path));
  CHECK_FALSE(exists(path + ".lock"));
}

TEST_CASE("over a unix socket keep-alive, large answers and bodies are as over tcp") {
  const test::temporary_directory in;
  const auto endpoint = "unix://" + in.file("app.sock");
  program p{hello_on(endpoint)};
  p.wait_ready();
  test::http_client c{connect_unix(endpoint)};
  CHECK(c.get("/n/123")->body == "123");
  CHECK(c.get("/big?bytes=3000000")->body.size() == 3'000'000);
  CHECK(c.get("/slow?ms=1")->status == 200);
  const std::string body(100'000, 'b');
  REQUIRE(c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + body));
  CHECK(c.receive()->body == body);
  REQUIRE(c.send("GET /n/9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  CHECK(c.receive()->body == "9");
  CHECK(c.receive_all() == ""); // the end comes, and no reset
}

TEST_CASE("echo over a unix socket gives every byte back, and ends with its client") {
  const auto endpoint = "unix://@coppice-echo-" + std::to_string(::getpid());
  program p{{ECHO, "--listen", endpoint, "--workers", "2"}};
  p.wait_ready();
  test::http_client c{connect_unix(endpoint)};
  std::string all;
  for (int i = 0; i < 20'000; ++i) all += "line " + std::to_string(i) + "\n";
  REQUIRE(c.send(all.substr(0, 1000)));
  REQUIRE(c.send(all.substr(1000)));
  c.shut_write();
  CHECK(c.receive_all() == all);
}

TEST_CASE("over a unix socket a dead worker's connections end, and new ones are served") {
  const auto endpoint = "unix://@coppice-deaths-" + std::to_string(::getpid());
  program p{hello_on(endpoint)};
  p.wait_ready();
  for (int round = 0; round < 20; ++round) {
    test::http_client c{connect_unix(endpoint)};
    const auto got = c.get("/pid");
    REQUIRE(got);
    REQUIRE(::kill(std::atoi(got->body.c_str()), SIGKILL) == 0);
    CHECK_FALSE(c.get("/pid")); // it had been taken
    // One that nobody has taken goes on in another worker; one that the dead one had taken, and of
    // which we cannot know, may end.
    REQUIRE(test::eventually([&] { return pid_over(connect_unix(endpoint)) > 0; }));
  }
  REQUIRE(test::eventually([&] { return p.workers().size() == 2; }));
  REQUIRE(p.wait_quiet());
  // Nothing of those connections is left with the primary.
  const auto files = test::open_files(p.pid());
  CHECK(pid_over(connect_unix(endpoint)) > 0);
  CHECK(test::eventually([&] { return test::open_files(p.pid()) <= files; }));
}

TEST_CASE("a unix socket that is served is refused to a second service, and survives that") {
  const test::temporary_directory in;
  const auto path = in.file("app.sock");
  program first{hello_on("unix://" + path)};
  first.wait_ready();
  program second{hello_on("unix://" + path)};
  says(refusal(second, "exit code 1"),
       "bind unix://" + path + ": process " + std::to_string(first.pid()) + " is serving it");
  CHECK(pid_over(connect_unix("unix://" + path)) > 0);
}

TEST_CASE("the path of a service that was killed is taken over by the next one") {
  const test::temporary_directory in;
  const auto path = in.file("app.sock");
  for (int round = 0; round < 3; ++round) {
    program p{hello_on("unix://" + path)};
    p.wait_ready();
    CHECK(pid_over(connect_unix("unix://" + path)) > 0);
    p.signal(SIGKILL);
    (void)p.wait_exit();
    CHECK(exists(path));
  }
}

TEST_CASE("a socket of LISTEN_FDS is served under its number and under its name") {
  for (const std::string endpoint : {"fd://3", "fd://web"}) {
    INFO(endpoint);
    const auto socket = listen_on({.host = "127.0.0.1", .port = 0});
    REQUIRE(socket);
    const auto where = local_endpoint(socket->get());
    program p{hello_on(endpoint), {.prepare = [&] {
                put_at(3, socket->get());
                ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
                ::setenv("LISTEN_FDS", "1", 1);
                ::setenv("LISTEN_FDNAMES", "web", 1);
              }}};
    p.wait_ready();
    CHECK(p.port() == where->port);
    int victim = test::pid_answering(p.port());
    CHECK(victim > 0);
    REQUIRE(::kill(victim, SIGKILL) == 0); // what is inherited is protected as any other
    CHECK(test::pid_answering(p.port()) > 0);
    // The variables are for the primary alone, and so is the socket: a worker would keep it open.
    const auto link = [](pid_t pid, const std::string& fd) {
      char target[128] = {};
      (void)!::readlink(("/proc/" + std::to_string(pid) + "/fd/" + fd).c_str(), target,
                        sizeof target - 1);
      return std::string{target};
    };
    REQUIRE(p.wait_quiet());
    const auto its = link(p.pid(), "3");
    for (const pid_t child : p.children())
      for (int fd = 3; fd < 64; ++fd) CHECK(link(child, std::to_string(fd)) != its);
    p.signal(SIGTERM);
    CHECK(p.wait_exit().well());
  }
}

TEST_CASE("a socket that nobody serves is said, and what is for another process is nobody's") {
  const auto socket = listen_on({.host = "127.0.0.1", .port = 0});
  REQUIRE(socket);
  const auto with_pid = [&](const std::string& pid) {
    return program::limits_of_it{.prepare = [&socket, pid] {
      put_at(3, socket->get());
      ::setenv("LISTEN_PID", (pid.empty() ? std::to_string(::getpid()) : pid).c_str(), 1);
      ::setenv("LISTEN_FDS", "1", 1);
    }};
  };
  program ours{hello_on("tcp://127.0.0.1:0"), with_pid("")};
  ours.wait_ready();
  CHECK(ours.wait_output("LISTEN_FDS: nobody serves 3 (unknown)"));
  program theirs{hello_on("fd://web"), with_pid("1")};
  says(refusal(theirs, "exit code 1"),
       "take over fd://web: LISTEN_FDNAMES has no socket of this name");
}

TEST_CASE("a descriptor that is no listening socket is said before anything runs") {
  program p{hello_on("fd://5"),
            {.prepare = [] { put_at(5, ::open("/dev/null", O_RDONLY | O_CLOEXEC)); }}};
  says(refusal(p, "exit code 1"), "take over fd://5: descriptor 5: it is a device");
  for (const std::string number : {"4", "41"}) { // 4 is one that the program itself will open
    program q{hello_on("fd://" + number), {.prepare = [] { ::close(4); }}};
    says(refusal(q, "exit code 1"),
         "take over fd://" + number + ": descriptor " + number + ": nothing is open there");
  }
}

TEST_CASE("an inherited unix socket is served, and its file is its owner's") {
  const test::temporary_directory in;
  const auto path = in.file("app.sock");
  const auto address = unix_address_of(parse_endpoint("unix://" + path).value());
  const os::unique_fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  REQUIRE(::bind(socket.get(), address.get(), address.size) == 0);
  REQUIRE(::listen(socket.get(), 16) == 0);
  const program::limits_of_it with_it{.prepare = [&] { put_at(7, socket.get()); }};
  {
    program p{hello_on("fd://7"), with_it};
    p.wait_ready();
    CHECK(pid_over(connect_unix("unix://" + path)) > 0);
    p.signal(SIGTERM);
    CHECK(p.wait_exit().well());
  }
  CHECK(exists(path));
  program asks_too_much{hello_on("fd://7", {"--protection", "request"}), with_it};
  says(refusal(asks_too_much, "exit code 1"), "protect fd://7: connections of unix://" + path +
                                                  " end with their worker: protection 'request'");
}

TEST_CASE("a wrong option is said with the endpoint, and nothing starts") {
  for (const auto& [endpoint, reason] : std::vector<std::pair<std::string, std::string>>{
           {"tcp://127.0.0.1:0?colour=red", "there is no option 'colour'"},
           {"tcp://127.0.0.1:0?backlog=0", "backlog = '0': must be a number from 1 to 1000000"},
           {"unix:///tmp/x?mode=9", "mode = '9': must be octal"}}) {
    program p{hello_on(endpoint)};
    const auto said = refusal(p, "exit code 2");
    says(said, "listen = " + endpoint + ": ");
    says(said, reason);
  }
}

TEST_CASE("protection that cannot be had is refused where it was asked for") {
  for (const std::string endpoint : {"unix:///tmp/x", "tcp://127.0.0.1:0?fast_open=16"})
    for (const std::string level : {"connection", "request"}) {
      program p{hello_on(endpoint, {"--protection", level})};
      says(refusal(p, "exit code 2"),
           "child \"web\": protection = " + level + ": over " + endpoint + " there is none: ");
    }
  program p{hello_on("tcp://127.0.0.1:0?fast_open=16", {"--protection", "none"})};
  p.wait_ready();
  CHECK(test::pid_answering(p.port()) > 0);
}

TEST_CASE("[::] serves both families, and with v6_only one") {
  program both{hello_on("tcp://[::]:0")};
  if (!connect_v6(1) && errno == EAFNOSUPPORT) return; // this machine has no IPv6
  both.wait_ready();
  CHECK(test::pid_answering(both.port()) > 0);
  CHECK(pid_over(connect_v6(both.port())) > 0);
  program six{hello_on("tcp://[::]:0?v6_only=true")};
  six.wait_ready();
  CHECK(pid_over(connect_v6(six.port())) > 0);
  CHECK_FALSE(test::http_client{six.port()}.connected());
  // What protects a connection does not depend on the family.
  test::http_client c{connect_v6(both.port())};
  const auto got = c.get("/pid");
  REQUIRE(got);
  REQUIRE(::kill(std::atoi(got->body.c_str()), SIGKILL) == 0);
  const auto next = c.get("/pid");
  REQUIRE(next);
  CHECK(next->body != got->body);
}
