// Real processes, as a user runs them.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace coppice;
using test::program;

namespace {

const std::string http_hello = HTTP_HELLO;
const std::string echo = ECHO;
const std::string misbehave = MISBEHAVE;

std::vector<std::string> hello_with(unsigned workers, std::vector<std::string> more = {}) {
  std::vector<std::string> argv{http_hello, "--listen", "tcp://127.0.0.1:0", "--workers",
                                std::to_string(workers)};
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

/// Waits until the worker processes are `n`, none of which is in `old`.
std::vector<pid_t> replacements(program& p, std::size_t n, const std::set<pid_t>& old) {
  std::vector<pid_t> now;
  REQUIRE(test::eventually([&] {
    p.read_output();
    now = p.workers();
    return now.size() == n &&
           std::none_of(now.begin(), now.end(), [&](pid_t pid) { return old.contains(pid); });
  }));
  return now;
}

bool ends_in_time(os::unique_fd pidfd) {
  pollfd p{pidfd.get(), POLLIN, 0};
  return ::poll(&p, 1, 30'000) == 1;
}

os::unique_fd pidfd_of(pid_t pid) {
  return os::unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
}

} // namespace

TEST_CASE("a service serves from all of its workers, and ends with 0 when asked") {
  for (const std::string spawn : {"zygote", "exec"}) {
    INFO(spawn);
    program p{hello_with(3, {"--spawn", spawn})};
    p.wait_ready();
    std::set<int> pids;
    for (int i = 0; i < 9; ++i) pids.insert(test::pid_answering(p.port()));
    CHECK(pids.size() == 3);
    CHECK(p.workers().size() == 3);
    CHECK((p.zygote() != 0) == (spawn == "zygote"));
    p.signal(SIGTERM);
    const auto status = p.wait_exit();
    INFO(p.output());
    CHECK(status.text() == "exit code 0");
    CHECK(p.output().find("stopped") != std::string::npos);
  }
}

TEST_CASE("every way to stop is a way to stop") {
  for (const int number : {SIGTERM, SIGINT, SIGQUIT}) {
    program p{hello_with(1)};
    p.wait_ready();
    p.signal(number);
    CHECK(p.wait_exit().well());
  }
}

TEST_CASE("the example's requests are answered as its head says") {
  program p{hello_with(1)};
  p.wait_ready();
  test::http_client c{p.port()};
  CHECK(c.get("/")->body.starts_with("hello from web/1, pid "));
  CHECK(c.get("/n/123?us=50")->body == "123");
  CHECK(c.get("/slow?ms=1")->status == 200);
  CHECK(c.get("/big?bytes=300000")->body.size() == 300'000);
  CHECK(c.get("/nothing")->status == 404);
  REQUIRE(c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"));
  CHECK(c.receive()->body == "hello");
}

TEST_CASE("a worker killed with -9 grows back, and others serve meanwhile") {
  program p{hello_with(2)};
  p.wait_ready();
  for (int round = 0; round < 20; ++round) {
    const int victim = test::pid_answering(p.port());
    REQUIRE(victim > 0);
    REQUIRE(::kill(victim, SIGKILL) == 0);
    for (int i = 0; i < 4; ++i) CHECK(test::pid_answering(p.port()) > 0);
    REQUIRE(test::eventually([&] { return p.workers().size() == 2; }));
  }
}

TEST_CASE("a pool of one worker makes clients wait for the replacement, not fail") {
  program p{hello_with(1)};
  p.wait_ready();
  int last = test::pid_answering(p.port());
  for (int round = 0; round < 20; ++round) {
    REQUIRE(::kill(last, SIGKILL) == 0);
    // Connections that the dead worker had been sent and had not taken go on to the next one; one
    // that it had taken is lost with it, so the first try after a kill may meet that.
    int next = 0;
    REQUIRE(test::eventually(
        [&] { return (next = test::pid_answering(p.port())) > 0 && next != last; }));
    last = next;
  }
}

TEST_CASE("a worker that crashes, or ends with a code, is replaced, and the log says why") {
  program p{hello_with(1)};
  p.wait_ready();
  const std::set<pid_t> first{p.workers().front()};
  // Requests that may not be run twice: the next worker says what became of them.
  const auto post = [&](const std::string& target) {
    test::http_client c{p.port()};
    REQUIRE(c.send("POST " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
    const auto got = c.receive();
    REQUIRE(got);
    return got->status;
  };
  CHECK(post("/crash") == 502);
  const auto second = replacements(p, 1, first);
  REQUIRE(test::eventually([&] { return test::pid_answering(p.port()) > 0; }));
  CHECK(post("/exit?code=7") == 502);
  replacements(p, 1, {second.front()});
  CHECK(p.wait_output("SIGABRT"));
  CHECK(p.wait_output("exit code 7"));
}

TEST_CASE("connections in progress finish when the service stops") {
  program p{hello_with(2)};
  p.wait_ready();
  test::http_client slow{p.port()};
  REQUIRE(slow.send("GET /slow?ms=400 HTTP/1.1\r\nHost: x\r\n\r\n"));
  // Its answer proves that the worker has read the request before; then the stop can come.
  REQUIRE(test::eventually([&] { return test::get(p.port(), "/")->status == 200; }));
  p.signal(SIGTERM);
  const auto got = slow.receive();
  REQUIRE(got);
  CHECK(got->body == "that was slow\n");
  CHECK(p.wait_exit().well());
}

TEST_CASE("a second signal hurries a stop that a request would keep waiting") {
  program p{hello_with(1)};
  p.wait_ready();
  test::http_client slow{p.port()};
  REQUIRE(slow.send("GET /slow?ms=600000 HTTP/1.1\r\nHost: x\r\n\r\n"));
  REQUIRE(test::get(p.port(), "/")->status == 200);
  p.signal(SIGTERM);
  REQUIRE(p.wait_output("SIGTERM: stopping"));
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}

TEST_CASE("a third signal ends even a worker that hangs") {
  program p{hello_with(1)};
  p.wait_ready();
  test::http_client hung{p.port()};
  REQUIRE(hung.send("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n"));
  for (int i = 0; i < 3; ++i) {
    // Pending signals of one number are one: each must have been seen before the next.
    const auto seen = p.output().size();
    p.signal(SIGTERM);
    REQUIRE(p.wait_output("SIGTERM: stopping", seen));
  }
  CHECK(p.wait_exit().well());
}

TEST_CASE("nobody outlives a primary that is killed with -9, not even a worker that hangs") {
  program p{hello_with(2)};
  p.wait_ready();
  test::http_client hung{p.port()};
  REQUIRE(hung.send("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n"));
  REQUIRE(test::get(p.port(), "/"));
  std::vector<os::unique_fd> everybody;
  REQUIRE(test::eventually([&] { return p.spare() != 0; }));
  for (const pid_t pid : p.children()) everybody.push_back(pidfd_of(pid));
  CHECK(everybody.size() == 4); // two workers, the zygote and its spare
  p.signal(SIGKILL);
  for (auto& pidfd : everybody) CHECK(ends_in_time(std::move(pidfd)));
}

TEST_CASE("a zygote killed with -9 costs no worker, and the next death is made good") {
  program p{hello_with(2)};
  p.wait_ready();
  const pid_t zygote = p.zygote();
  REQUIRE(::kill(zygote, SIGKILL) == 0);
  CHECK(test::pid_answering(p.port()) > 0);
  REQUIRE(test::eventually([&] { return p.zygote() != 0 && p.zygote() != zygote; }));
  const auto before = p.workers();
  REQUIRE(before.size() == 2);
  ::kill(before[0], SIGKILL);
  ::kill(p.zygote(), SIGKILL);
  replacements(p, 2, {before[0]});
  CHECK(test::pid_answering(p.port()) > 0);
}

TEST_CASE("a zygote that is stopped is replaced, and its orders are carried out") {
  program p{hello_with(2)};
  p.wait_ready();
  const pid_t zygote = p.zygote();
  const auto before = p.workers();
  REQUIRE(test::eventually([&] { return p.spare() != 0; }));
  REQUIRE(::kill(zygote, SIGSTOP) == 0);
  for (const pid_t worker : before) REQUIRE(::kill(worker, SIGKILL) == 0); // one gets the spare
  replacements(p, 2, {before.begin(), before.end()});
  CHECK(p.zygote() != zygote);
  CHECK(p.wait_output("it does not answer"));
}

TEST_CASE("a third signal is final even while a zygote that is stopped owes a worker") {
  program p{hello_with(1)};
  p.wait_ready();
  // With one answer given the worker's death is made good at once: the spare is the next worker,
  // and the one after it is the zygote's to make.
  REQUIRE(test::eventually([&] { return p.spare() != 0; }));
  REQUIRE(::kill(p.zygote(), SIGSTOP) == 0);
  for (int deaths = 0; deaths < 2; ++deaths) {
    const int victim = test::pid_answering(p.port());
    REQUIRE(victim > 0);
    REQUIRE(test::pid_answering(p.port()) == victim); // and by the second the first is counted
    REQUIRE(::kill(victim, SIGKILL) == 0);
    REQUIRE(p.wait_output("pid " + std::to_string(victim) + "): restarted because of SIGKILL"));
  }
  for (int i = 0; i < 3; ++i) {
    const auto seen = p.output().size();
    p.signal(SIGTERM);
    REQUIRE(p.wait_output("SIGTERM: stopping", seen));
  }
  CHECK(p.wait_exit().well());
}

TEST_CASE("closed standard streams are no place for what is printed") {
  program p{
      {"/bin/sh", "-c",
       "exec " + http_hello + " --listen tcp://127.0.0.1:0 --workers 1 --log off <&- >&- 2>&-"}};
  REQUIRE(test::eventually([&] { return p.workers().size() == 1; }));
  for (const pid_t pid : {p.pid(), p.workers().front()})
    for (const char* fd : {"0", "1", "2"})
      CHECK(std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/" + fd) ==
            "/dev/null");
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}

TEST_CASE("a log that nobody reads does not stand in the way") {
  program p{hello_with(2)};
  p.wait_ready();
  for (int i = 0; i < 600; ++i) { // each death is a line of some 140 bytes; the pipe holds 64 KiB
    int victim = 0;
    REQUIRE(test::eventually([&] { return (victim = test::pid_answering(p.port())) > 0; }));
    REQUIRE(::kill(victim, SIGKILL) == 0);
    REQUIRE(test::eventually([&] {
      const auto now = p.workers();
      return now.size() == 2 && std::find(now.begin(), now.end(), victim) == now.end();
    }));
  }
  CHECK(test::pid_answering(p.port()) > 0);
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}

TEST_CASE("clients that keep idle connections open do not hold up a stop") {
  program p{hello_with(1)};
  p.wait_ready();
  std::vector<std::unique_ptr<test::http_client>> idle;
  for (int i = 0; i < 50; ++i) {
    idle.push_back(std::make_unique<test::http_client>(p.port()));
    REQUIRE(idle.back()->get("/"));
  }
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
  CHECK(p.output().find("SIGKILL") == std::string::npos);
}

TEST_CASE("a wrong command line ends with 2") {
  for (const char* option : {"--bogus", "--workers=-1", "--spawn=teleport"}) {
    program p{{http_hello, option}};
    CHECK(p.wait_exit().text() == "exit code 2");
  }
}

TEST_CASE("an endpoint in use is said plainly, and nothing is left running") {
  program first{hello_with(1)};
  first.wait_ready();
  program second{{http_hello, "--listen", "tcp://127.0.0.1:" + std::to_string(first.port()),
                  "--workers", "1"}};
  CHECK(second.wait_exit().text() == "exit code 1");
  CHECK(second.output().find("bind tcp://127.0.0.1:" + std::to_string(first.port()) +
                             ": Address already in use") != std::string::npos);
  CHECK(test::pid_answering(first.port()) > 0);
}

TEST_CASE("one primary for each state directory: the second is told the first one's pid") {
  program first{hello_with(1)};
  first.wait_ready();
  program second{hello_with(1, {"--state-dir", first.state_dir()})};
  CHECK(second.wait_exit().text() == "exit code 1");
  CHECK(second.output().find(std::to_string(first.pid())) != std::string::npos);
}

TEST_CASE("a wrong spec names child, field and value, and nothing starts") {
  program p{{misbehave, "bad_spec"}};
  CHECK(p.wait_exit().text() == "exit code 2");
  INFO(p.output());
  for (const char* text :
       {"web", "instances = 0", "listen = tcp://nowhere", "backoff.max", "twice"})
    CHECK(p.output().find(text) != std::string::npos);
  program q{hello_with(5000)};
  CHECK(q.wait_exit().text() == "exit code 2");
  CHECK(q.output().find("instances = 5000") != std::string::npos);
}

TEST_CASE("a worker that fails at boot stops the start, with its own message") {
  program p{{misbehave, "boot_throws"}};
  CHECK(p.wait_exit().text() == "exit code 1");
  CHECK(p.output().find("the configuration has no 'color'") != std::string::npos);
  CHECK(p.output().find("coppice: ready") == std::string::npos);
  program q{{misbehave, "boot_exits"}};
  CHECK(q.wait_exit().text() == "exit code 1");
  CHECK(q.output().find("exit code 3") != std::string::npos);
}

TEST_CASE("garbage on a channel ends the worker that wrote it, never the primary") {
  for (const char* how : {"control_garbage", "data_garbage"}) {
    INFO(how);
    program p{{misbehave, how, "2"}};
    p.wait_ready();
    const auto before = p.workers();
    const std::set<pid_t> old{before.begin(), before.end()};
    // Whom a request meets is not ours to say: one that is run again meets a second worker, and the
    // next one may meet the first one's successor.
    REQUIRE(test::eventually([&] {
      (void)test::get(p.port(), "/garbage");
      p.read_output();
      const auto now = p.workers();
      return std::none_of(now.begin(), now.end(), [&](pid_t pid) { return old.contains(pid); });
    }));
    CHECK(test::eventually([&] { return test::get(p.port(), "/").has_value(); }));
    CHECK(test::process_state(p.pid()) != 'Z');
  }
}

TEST_CASE(
    "an exception in a handler is answered 500, ends the worker, and its text is in the log") {
  program p{{misbehave, "throws", "1"}};
  p.wait_ready();
  const auto before = p.workers();
  const auto got = test::get(p.port(), "/throw");
  REQUIRE(got);
  CHECK(got->status == 500);
  replacements(p, 1, {before.begin(), before.end()});
  CHECK(p.wait_output("the handler's own words"));
}

TEST_CASE("a worker holds its channels, its loop and its standard streams, and nothing else") {
  program p{{misbehave, "descriptors", "3"}};
  p.wait_ready();
  const auto got = test::get(p.port(), "/");
  REQUIRE(got);
  INFO(got->body);
  std::size_t sockets = 0, others = 0;
  for (std::size_t at = 0; at < got->body.size();) {
    const auto end = got->body.find('\n', at);
    const auto line = got->body.substr(at, end - at);
    at = end + 1;
    const int fd = std::atoi(line.c_str());
    const auto target = line.substr(line.find(' ') + 1);
    if (fd <= 2) continue;
    if (target.starts_with("socket:"))
      ++sockets; // control, data, the client
    else if (!target.starts_with("anon_inode:"))
      ++others;
  }
  CHECK(sockets == 3);
  CHECK(others == 0);
}

TEST_CASE("agents start before pools and end after them; ids are given in that order") {
  program p{{misbehave, "agents"}};
  p.wait_ready();
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
  const auto& out = p.output();
  INFO(out);
  const auto place = [&](const char* text) {
    const auto at = out.find(text);
    REQUIRE(at != std::string::npos);
    return at;
  };
  CHECK(place("first begins, id 1") < place("crowd/1 begins, id 3"));
  CHECK(place("second begins, id 2") > 0);
  CHECK(place("crowd/1 ends") < place("first ends"));
}

TEST_CASE("without descriptors the primary neither spins nor dies, and recovers") {
  program p{hello_with(1), {.open_files = 64}};
  p.wait_ready();
  std::vector<os::unique_fd> crowd;
  for (int i = 0; i < 200; ++i) {
    test::http_client c{p.port()};
    if (c.connected()) crowd.emplace_back(::dup(c.fd()));
  }
  REQUIRE(p.wait_output("Too many open files"));
  const double before = test::cpu_seconds(p.pid());
  CHECK_FALSE(p.wait_exit_within(std::chrono::seconds{1}));
  CHECK(test::cpu_seconds(p.pid()) - before < 0.5);
  crowd.clear();
  CHECK(test::eventually([&] { return test::pid_answering(p.port()) > 0; }));
}

TEST_CASE("a thousand kills in a row leak no descriptor, no zombie and no memory") {
  program p{hello_with(2)};
  p.wait_ready();
  // One that has just answered has made progress: its death is made good at once, however many came
  // before.
  const auto kill_one = [&] {
    int victim = 0;
    REQUIRE(test::eventually([&] { return (victim = test::pid_answering(p.port())) > 0; }));
    REQUIRE(::kill(victim, SIGKILL) == 0);
    replacements(p, 2, {victim});
  };
  for (int i = 0; i < 50; ++i) kill_one(); // buffers, pools and the log's own memory are warm then
  // One that has not served has a descriptor of its ledger until its first connection.
  const auto all_served = [&] {
    std::set<int> pids;
    return test::eventually([&] {
             if (const int pid = test::pid_answering(p.port()); pid > 0) pids.insert(pid);
             return pids.size() == 2 && p.spare() != 0;
           }) &&
           p.wait_quiet();
  };
  REQUIRE(all_served());
  const auto files = test::open_files(p.pid());
  const auto zygote_files = test::open_files(p.zygote());
  const auto worker_files = test::open_files(p.workers().front());
  [[maybe_unused]] const auto memory = test::resident_kib(p.pid());
  for (int i = 0; i < 950; ++i) kill_one();
  REQUIRE(all_served());
  // The primary's copies of closed connections go with its next look.
  const auto holds = [](pid_t pid, std::size_t most) {
    return test::eventually([&] { return test::open_files(pid) <= most; });
  };
  CHECK(holds(p.pid(), files));
  CHECK(holds(p.zygote(), zygote_files));
  for (const pid_t worker : p.workers()) CHECK(holds(worker, worker_files));
#ifndef __SANITIZE_ADDRESS__ // it keeps freed memory for a while on purpose, to notice later uses
  CHECK(test::resident_kib(p.pid()) < memory + 2048);
#endif
  for (const pid_t child : p.children()) CHECK(test::process_state(child) != 'Z');
  CHECK(p.children().size() == 4);
}

TEST_CASE("echo gives every byte back, in order, and ends when the client does") {
  program p{{echo, "--listen", "tcp://127.0.0.1:0", "--workers", "2"}};
  p.wait_ready();
  test::http_client c{p.port()};
  std::string all;
  for (int i = 0; i < 20'000; ++i) all += "line " + std::to_string(i) + "\n";
  REQUIRE(c.send(all.substr(0, 1000)));
  REQUIRE(c.send(all.substr(1000)));
  c.shut_write();
  const auto back = c.receive_all();
  REQUIRE(back);
  CHECK(*back == all);
}
