// A real worker process and a test that plays its primary: hello to bye, and every way to end.
#include "support/played_primary.hpp"
#include "support/text.hpp"

#include <algorithm>
#include <array>
#include <coppice/runtime/limits.hpp>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <dirent.h>
#include <new>
#include <poll.h>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/resource.h>

using namespace coppice;
using namespace coppice::test;
using namespace std::chrono_literals;

namespace {

/// Answers each line; "close\n" ends the connection, "slow\n" is answered only when the worker
/// drains.
class line_user final : public connection_user {
public:
  void on_input(leased_connection& c) override {
    for (auto end = c.input().find('\n'); end != std::string_view::npos;
         end = c.input().find('\n')) {
      const auto line = c.input().substr(0, end + 1);
      if (line == "slow\n") {
        waiting_ = true;
        return;
      }
      if (line == "throw\n") throw std::runtime_error{"thrown on demand"};
      if (line == "fail\n") c.owner().fail("failed on demand");
      if (line == "stop\n") c.owner().stop();
      if (line == "retire\n") c.owner().retire("old enough");
      if (line == "post\n")
        asio::post(c.owner().context(), [] { throw std::runtime_error{"thrown by the loop"}; });
      if (line == "who\n") {
        auto& w = c.owner();
        const std::string who = std::string{w.name()} + " " + std::string{w.group()} + " " +
                                std::to_string(w.slot()) + " " + std::to_string(w.id()) + " " +
                                std::to_string(w.incarnation()) + "\n";
        c.reply(line.size(), who);
        continue;
      }
      const bool closing = line == "close\n";
      c.reply(line.size(), line);
      if (closing) return c.close(close_mode::at_once);
    }
    if (c.input_ended()) c.close();
  }
  void on_drain(leased_connection& c) override {
    if (waiting_) c.reply(c.input().size(), "slow answer\n");
    c.close();
  }

private:
  bool waiting_ = false;
};

void serve_lines(worker& w) {
  w.on_connection([](leased_connection&) { return std::make_unique<line_user>(); });
}

std::string ask(const os::unique_fd& client, std::string_view line, std::size_t answer) {
  send_all(client, line);
  return receive_exactly(client, answer);
}

bool is_reset(const os::unique_fd& client) {
  try {
    receive_to_end(client);
    return false;
  } catch (const std::system_error& thrown) {
    return thrown.code().value() == ECONNRESET;
  }
}

} // namespace

TEST_CASE("a worker says who it is, and that it is ready when its body has returned", "[worker]") {
  played_primary primary{serve_lines};
  const auto hello = primary.expect<wire::hello>();
  CHECK(hello.version == wire::protocol_version);
  CHECK(hello.pid == primary.pid());
  CHECK(hello.incarnation == 3);
  primary.expect<wire::ready>();
  CHECK(primary.ledger().read()->version == ledger_version);
  const auto client = primary.give_connection(1);
  CHECK(ask(client, "who\n", 16) == "web/2 web 2 7 3\n");
}

TEST_CASE("connections are counted as they are taken", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  std::vector<os::unique_fd> clients;
  for (std::uint64_t id = 1; id <= 5; ++id) {
    clients.push_back(primary.give_connection(id));
    REQUIRE(ask(clients.back(), "hello\n", 6) == "hello\n");
    CHECK(primary.ledger().read()->taken == id);
    CHECK(primary.ledger().read()->served == id);
  }
}

TEST_CASE("one packet may bring many connections", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  std::vector<os::unique_fd> clients;
  std::vector<os::unique_fd> servers;
  std::vector<int> fds;
  wire::connections offer;
  for (std::uint64_t id = 1; id <= limits::control_fds; ++id) {
    auto pair = make_tcp_pair();
    fds.push_back(pair.server.get());
    servers.push_back(std::move(pair.server));
    clients.push_back(std::move(pair.client));
    offer.items.push_back({id, 0});
  }
  primary.say(offer, fds);
  for (const auto& client : clients) CHECK(ask(client, "hi\n", 3) == "hi\n");
  CHECK(primary.ledger().read()->taken == limits::control_fds);
}

TEST_CASE("a primary that waits for room is told once", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  primary.ledger().ask_to_be_woken();
  const auto a = primary.give_connection(1);
  primary.expect<wire::room>();
  CHECK(primary.ledger().read()->taken == 1);
  const auto b = primary.give_connection(2);
  CHECK(ask(b, "x\n", 2) == "x\n");
  primary.say(wire::drain{1000});
  primary.expect<wire::bye>(); // and not another room
}

TEST_CASE("a drained worker without connections says bye and ends well", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  primary.say(wire::drain{5000});
  primary.expect<wire::bye>();
  primary.expect_end_of_channel();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("a drain finishes what is in progress and ends what is idle", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  auto idle = primary.give_connection(1);
  auto busy = primary.give_connection(2);
  CHECK(ask(idle, "x\n", 2) == "x\n");
  CHECK(ask(busy, "x\n", 2) == "x\n");
  send_all(busy, "slow\n");
  primary.say(wire::drain{5000});
  CHECK(receive_to_end(idle).empty());
  CHECK(receive_to_end(busy) == "slow answer\n");
  idle.reset();
  busy.reset();
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("what arrives while it drains is handed back and counted", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  const auto busy = primary.give_connection(1);
  CHECK(ask(busy, "x\n", 2) == "x\n");
  primary.say(wire::drain{5000});
  CHECK(receive_to_end(busy).empty()); // our side stays open: it lingers
  const auto late = primary.give_connection(2);
  const auto back = primary.expect<wire::handed_back>();
  CHECK(back.connections == std::vector<std::uint64_t>{2});
  CHECK(back.reason == "draining");
  CHECK(primary.ledger().read()->taken == 1);
  CHECK(primary.ledger().read()->handed_back == 1);
}

#ifndef __SANITIZE_ADDRESS__ // the sanitizers look at memory through a pipe(2) of their own, which
                             // fails here
TEST_CASE("a worker without free descriptors hands connections back and serves on", "[worker]") {
  played_primary primary{[](worker& w) {
    serve_lines(w);
    const os::unique_fd lowest{::dup(0)};
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(lowest.get()) + 1; // room for one connection
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }};
  primary.expect_start();
  const auto first = primary.give_connection(1);
  CHECK(ask(first, "on\n", 3) == "on\n");
  const auto second = primary.give_connection(2);
  const auto back = primary.expect<wire::handed_back>();
  CHECK(back.connections == std::vector<std::uint64_t>{2});
  CHECK(primary.ledger().read()->handed_back == 1);
  CHECK(primary.ledger().read()->taken == 1);
  CHECK(ask(first, "close\n", 6) == "close\n");
  CHECK(receive_to_end(first).empty());
  const auto third = primary.give_connection(3);
  CHECK(ask(third, "on\n", 3) == "on\n");
}
#endif

TEST_CASE("SIGTERM drains", "[worker]") {
  const int number = GENERATE(SIGTERM, SIGINT, SIGQUIT);
  played_primary primary{serve_lines};
  primary.expect_start();
  auto client = primary.give_connection(1);
  CHECK(ask(client, "x\n", 2) == "x\n");
  primary.signal(number);
  CHECK(receive_to_end(client).empty());
  client.reset();
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("a second signal does not wait for lingering clients", "[worker]") {
  const int number = GENERATE(SIGTERM, SIGINT);
  played_primary primary{serve_lines};
  primary.expect_start();
  const auto client = primary.give_connection(1);
  CHECK(ask(client, "x\n", 2) == "x\n");
  const auto begin = std::chrono::steady_clock::now();
  primary.signal(SIGTERM);
  CHECK(receive_to_end(client).empty()); // and now it waits for our end
  primary.signal(number);
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 0);
  CHECK(std::chrono::steady_clock::now() - begin < limits::linger);
}

TEST_CASE("a worker can end itself well", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  auto client = primary.give_connection(1);
  CHECK(ask(client, "stop\n", 5) == "stop\n");
  CHECK(receive_to_end(client).empty());
  client.reset();
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("a worker that fails says why and ends abnormally", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  const auto client = primary.give_connection(1);
  send_all(client, "fail\n");
  CHECK(primary.expect<wire::failed>().reason == "failed on demand");
  primary.expect_end_of_channel();
  CHECK(primary.exit_code() == 1);
}

TEST_CASE("a worker that wants to retire serves on until it is told to drain", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  auto client = primary.give_connection(1);
  CHECK(ask(client, "retire\n", 7) == "retire\n");
  CHECK(primary.expect<wire::retire>() == wire::retire{"old enough", false});
  CHECK(ask(client, "retire\n", 7) == "retire\n"); // said once
  auto other = primary.give_connection(2);
  CHECK(ask(other, "x\n", 2) == "x\n");
  primary.say(wire::drain{1000});
  CHECK(receive_to_end(client).empty());
  CHECK(receive_to_end(other).empty());
  client.reset();
  other.reset();
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("a body that retires is ready first", "[worker]") {
  played_primary primary{[](worker& w) { w.retire("born old"); }};
  primary.expect_start();
  CHECK(primary.expect<wire::retire>().reason == "born old");
}

TEST_CASE("an exception that escapes a handler has the worker replaced, and nobody else notices",
          "[worker]") {
  const std::string line = GENERATE("throw\n", "post\n");
  const bool in_callback = line == "throw\n";
  INFO(line);
  played_primary primary{serve_lines};
  primary.expect_start();
  auto other = primary.give_connection(1);
  CHECK(ask(other, "x\n", 2) == "x\n");
  auto client = primary.give_connection(2);
  send_all(client, line);
  const auto wish = primary.expect<wire::retire>();
  CHECK(wish.reason == (in_callback ? "thrown on demand" : "thrown by the loop"));
  CHECK(wish.failed);
  if (in_callback)
    CHECK(is_reset(client)); // what it was at, nobody knows
  else
    CHECK(receive_exactly(client, line.size()) == line);
  CHECK(ask(other, "y\n", 2) == "y\n");
  auto late = primary.give_connection(3);
  CHECK(ask(late, "z\n", 2) == "z\n");
  send_all(late, "throw\n"); // the second one changes nothing
  CHECK(is_reset(late));
  client.reset();
  primary.say(wire::drain{1000});
  CHECK(receive_to_end(other).empty());
  other.reset();
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 1);
}

TEST_CASE("an exception while the worker drains is told, and it drains on", "[worker]") {
  played_primary primary{[](worker& w) {
    serve_lines(w);
    w.on_drain([] { throw std::runtime_error{"thrown while draining"}; });
  }};
  primary.expect_start();
  auto client = primary.give_connection(1);
  send_all(client, "slow\n");
  while (primary.ledger().read()->taken == 0) ::poll(nullptr, 0, 1);
  primary.say(wire::drain{1000});
  CHECK(primary.expect<wire::failed>().reason == "thrown while draining");
  CHECK(receive_to_end(client) == "slow answer\n");
  client.reset();
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 1);
}

TEST_CASE("a worker without memory does not go on", "[worker]") {
  played_primary primary{
      [](worker& w) { asio::post(w.context(), [] { throw std::bad_alloc{}; }); }};
  primary.expect_start();
  CHECK(has(primary.expect<wire::failed>().reason, "bad_alloc"));
  CHECK(primary.exit_code() == 1);
}

TEST_CASE("an exception in the body ends the worker before it is ready", "[worker]") {
  SECTION("a standard one") {
    played_primary primary{[](worker&) { throw std::runtime_error{"no configuration"}; }};
    primary.expect<wire::hello>();
    CHECK(primary.expect<wire::failed>().reason == "no configuration");
    CHECK(primary.exit_code() == 1);
  }
  SECTION("any other") {
    played_primary primary{[](worker&) { throw 17; }};
    primary.expect<wire::hello>();
    CHECK(has(primary.expect<wire::failed>().reason, "exception"));
    CHECK(primary.exit_code() == 1);
  }
  SECTION("a failure by name") {
    played_primary primary{[](worker& w) { w.fail("not today"); }};
    primary.expect<wire::hello>();
    CHECK(primary.expect<wire::failed>().reason == "not today");
    CHECK(primary.exit_code() == 1);
  }
}

TEST_CASE("a worker that is given a connection and serves none says so", "[worker]") {
  played_primary primary{[](worker&) {}};
  primary.expect_start();
  const auto client = primary.give_connection(1);
  CHECK(has(primary.expect<wire::failed>().reason, "serves none"));
  CHECK(primary.ledger().read()->taken == 0); // another worker can have it
  CHECK(primary.exit_code() == 1);
}

TEST_CASE("a worker whose primary is gone finishes and ends", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  auto busy = primary.give_connection(1);
  CHECK(ask(busy, "x\n", 2) == "x\n");
  send_all(busy, "slow\n");
  primary.vanish();
  CHECK(receive_to_end(busy) == "slow answer\n");
  busy.reset();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("a worker whose primary is gone does not wait for clients for long", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  const auto client = primary.give_connection(1);
  CHECK(ask(client, "x\n", 2) == "x\n");
  const auto begin = std::chrono::steady_clock::now();
  primary.vanish();
  CHECK(primary.exit_code() == 0); // although the client never ends its side
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= limits::drain_linger);
  CHECK(took < limits::linger);
}

TEST_CASE("garbage on the control channel ends the worker with what was wrong", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  SECTION("no msgpack") {
    primary.say_text("\xc1garbage");
    CHECK(has(primary.expect<wire::failed>().reason, "decode control packet"));
  }
  SECTION("a list that claims to be endless") {
    primary.say_text("\xdd\xff\xff\xff\xff");
    CHECK(has(primary.expect<wire::failed>().reason, "decode control packet"));
  }
  SECTION("connections with some of their descriptors") {
    const int fd = 0;
    primary.say(wire::connections{{{1, 0}, {2, 0}}}, {&fd, 1});
    CHECK(has(primary.expect<wire::failed>().reason, "1 descriptors came with it, not 2"));
    CHECK(primary.ledger().read()->taken == 0);
  }
  SECTION("a descriptor with a message that has none") {
    const int fd = 0;
    primary.say(wire::drain{1}, {&fd, 1});
    CHECK(has(primary.expect<wire::failed>().reason, "1 descriptors came with it, not 0"));
  }
  SECTION("a message that goes the other way") {
    primary.say(wire::ready{});
    CHECK(has(primary.expect<wire::failed>().reason, "ready: it is not for a worker"));
  }
  CHECK(primary.exit_code() == 1);
}

TEST_CASE("a message of a later version is passed over", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  primary.say_text("\x92\xcd\x03\xe7\x01"); // [999, 1]
  const int fd = 0;
  primary.say_bytes(std::as_bytes(std::span{"\x91\xcd\x03\xe7", 4}), {&fd, 1});
  const auto client = primary.give_connection(1);
  CHECK(ask(client, "on\n", 3) == "on\n");
}

TEST_CASE("a killed worker leaves what it has not taken to others", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  primary.signal(SIGSTOP);
  const auto a = primary.give_connection(1);
  const auto b = primary.give_connection(2);
  CHECK(primary.ledger().read()->taken == 0);
  primary.signal(SIGKILL);
  CHECK(primary.exit_code() == -SIGKILL);
  CHECK(primary.ledger().read()->taken == 0);
}

TEST_CASE("hearts beat on whole seconds", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  const auto client = primary.give_connection(1);
  CHECK(ask(client, "x\n", 2) == "x\n");
  const auto begin = std::chrono::steady_clock::now();
  while (primary.ledger().read()->health.beats < 2) {
    REQUIRE(std::chrono::steady_clock::now() - begin < patience);
    ::poll(nullptr, 0, 5);
  }
  const auto now = primary.ledger().read();
  const auto since = std::chrono::steady_clock::now().time_since_epoch() % 1s;
  CHECK(since < 500ms);
  CHECK(now->health.rss_bytes > 1024 * 1024);
  CHECK(now->health.connections == 1);
}

TEST_CASE("an on_drain function is called once, and connections can be told by it", "[worker]") {
  played_primary primary{[](worker& w) {
    serve_lines(w);
    w.on_drain([&w, calls = 0]() mutable {
      if (++calls != 1 || !w.draining()) w.fail("called wrongly");
    });
  }};
  primary.expect_start();
  primary.say(wire::drain{1});
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("a worker has no descriptors but its own", "[worker]") {
  played_primary primary{serve_lines};
  primary.expect_start();
  std::multiset<std::string> kinds;
  const std::string folder = "/proc/" + std::to_string(primary.pid()) + "/fd";
  DIR* const dir = ::opendir(folder.c_str());
  REQUIRE(dir != nullptr);
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] == '.') continue;
    std::array<char, 256> target{};
    const auto n = ::readlink((folder + "/" + entry->d_name).c_str(), target.data(), target.size());
    REQUIRE(n > 0);
    std::string kind{target.data(), static_cast<std::size_t>(n)};
    if (!has(kind, "anon_inode:")) kind = kind.substr(0, kind.find(":["));
    kinds.insert(kind);
  }
  ::closedir(dir);
  CHECK(kinds.count("anon_inode:[eventpoll]") == 2); // the loop's, and the connections'
  CHECK(kinds.count("anon_inode:[signalfd]") == 1);
  // Beside the forking test's own: its end of nothing. The ledger is mapped, its descriptor is
  // closed.
  CHECK(std::count_if(kinds.begin(), kinds.end(), [](const auto& kind) {
          return has(kind, "coppice-ledger");
        }) == 1); // the one that the test itself passed on by fork
}

// ---- bodies that are coroutines

namespace {

asio::awaitable<void> wait_for_ever(worker& w) {
  asio::steady_timer timer{w.context(), std::chrono::hours{1}};
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> end_soon(worker& w) {
  asio::steady_timer timer{w.context(), 1ms};
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> end_at_once(worker&) { co_return; }

asio::awaitable<void> throw_soon(worker& w) {
  asio::steady_timer timer{w.context(), 1ms};
  co_await timer.async_wait(asio::use_awaitable);
  throw std::runtime_error{"thrown by a coroutine"};
}

asio::awaitable<void> throw_at_once(worker&) {
  throw std::runtime_error{"thrown at once"};
  co_return;
}

asio::awaitable<void> clean_up(worker& w) {
  asio::steady_timer timer{w.context(), std::chrono::hours{1}};
  w.on_drain([&timer] { timer.expires_after(1ms); });
  for (bool done = false; !done;) {
    try {
      co_await timer.async_wait(asio::use_awaitable);
      done = true;
    } catch (const std::system_error&) { // the expiry was moved
    }
  }
  throw std::runtime_error{"cleaned up"};
}

} // namespace

TEST_CASE("a coroutine body is ready when it first suspends, and is cancelled by the drain",
          "[worker]") {
  played_primary primary{make_worker_body(wait_for_ever)};
  primary.expect_start();
  primary.say(wire::drain{1000});
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("a worker ends when its coroutine ends", "[worker]") {
  SECTION("after a while") {
    played_primary primary{make_worker_body(end_soon)};
    primary.expect_start();
    primary.expect<wire::bye>();
    CHECK(primary.exit_code() == 0);
  }
  SECTION("at once: then it was ready all the same") {
    played_primary primary{make_worker_body(end_at_once)};
    primary.expect_start();
    primary.expect<wire::bye>();
    CHECK(primary.exit_code() == 0);
  }
}

TEST_CASE("an exception of the coroutine is the worker's", "[worker]") {
  SECTION("after ready") {
    played_primary primary{make_worker_body(throw_soon)};
    primary.expect_start();
    CHECK(primary.expect<wire::failed>().reason == "thrown by a coroutine");
    CHECK(primary.exit_code() == 1);
  }
  SECTION("before ready") {
    played_primary primary{make_worker_body(throw_at_once)};
    primary.expect<wire::hello>();
    CHECK(primary.expect<wire::failed>().reason == "thrown at once");
    CHECK(primary.exit_code() == 1);
  }
}

TEST_CASE("a coroutine with an on_drain function ends itself", "[worker]") {
  played_primary primary{make_worker_body(clean_up)};
  primary.expect_start();
  primary.say(wire::drain{1000});
  CHECK(primary.expect<wire::failed>().reason == "cleaned up"); // it ran to its end
  CHECK(primary.exit_code() == 1);
}
