// Policies in the cluster's actors, in virtual time: what the choice goes by must get there.
#include "support/actor_world.hpp"
#include "support/catch.hpp"
#include "support/fake_first_bytes.hpp"
#include "support/fake_link.hpp"
#include "support/log_lines.hpp"
#include "support/loopback.hpp"

#include <coppice/actors/dispatcher.hpp>
#include <coppice/actors/worker_proxy.hpp>
#include <coppice/runtime/limits.hpp>
#include <csignal>
#include <fcntl.h>
#include <map>

using namespace coppice;
using namespace std::chrono_literals;

namespace {

/// Whoever is told something and has nothing to do about it: supervisor, listener, primary.
struct bystander {
  struct heard {
    int accepting = 0;
    int accepting_ended = 0;
  };
  caf::event_based_actor* self;
  heard* notes;
  bystander(caf::event_based_actor* s, heard* n) : self{s}, notes{n} {}
  caf::behavior make_behavior() {
    return {[](const child_ready&) {}, [](const child_ended&) {},
            [this](const start_accepting&) { notes->accepting = 1; },
            [this](const stop_accepting&) { notes->accepting = 0; },
            [this](const accepting_ended&) { ++notes->accepting_ended; }};
  }
};

struct service {
  test::log_lines log; // first: the actors write to it until the world ends
  std::map<std::string, test::fake_process> processes;
  test::fake_first_bytes bytes;
  bystander::heard heard;
  std::shared_ptr<pool_roster> pool = std::make_shared<pool_roster>();
  bool sticky;
  test::actor_world world;
  caf::actor others;
  caf::actor balancing;
  std::map<std::string, caf::actor> proxies;

  explicit service(const dispatch_policy& policy)
      : sticky{make_balancer(policy)->trait() == client_trait::affinity_by_head} {
    pool->name = "web";
    pool->policy = make_balancer(policy, 1);
    others = port::spawn_state<bystander>(world.system(), &heard);
    pool->listeners.push_back(caf::actor_cast<caf::actor_addr>(others));
    start_dispatcher();
  }
  ~service() { proxies.clear(); }

  template <class M>
  deliver_to<M> deliver() {
    return [](const caf::actor_addr& to, M m) {
      port::anon_mail(std::move(m)).send(caf::actor_cast<caf::actor>(to));
    };
  }
  void start_dispatcher() {
    balancing = port::spawn_state<dispatcher>(world.system(),
                                              dispatcher_parts{pool,
                                                               &log,
                                                               sticky ? &bytes : nullptr,
                                                               {head_key::kind::cookie, "c"},
                                                               deliver<first_bytes_came>()});
    world.run();
  }
  test::fake_process& start(unsigned slot, std::uint64_t incarnation = 1) {
    const std::string name = "web/" + std::to_string(slot);
    const std::string key = name + "#" + std::to_string(incarnation);
    auto& process = processes[key];
    proxies[key] = port::spawn_state<worker_proxy>(
        world.system(), worker_proxy_parts{name,
                                           {slot, incarnation},
                                           incarnation,
                                           others,
                                           std::make_unique<test::fake_link>(process),
                                           pool,
                                           protection::request,
                                           25s,
                                           deliver<link_told>(),
                                           &log});
    world.run();
    process.ledger.movable = protection::request;
    process.spawned();
    process.says(wire::hello{.pid = 71, .incarnation = incarnation});
    process.says(wire::ready{});
    world.run();
    return process;
  }
  void accepted(std::vector<os::unique_fd> sockets) {
    world.deliver(balancing, accepted_connections{0, std::move(sockets)});
  }
  /// A client connects; what it has sent already.
  int client(const std::string& sent = {}) {
    std::vector<os::unique_fd> one;
    one.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const int number = one[0].get();
    bytes.come(number, sent);
    accepted(std::move(one));
    return number;
  }
  void sends(int socket, const std::string& text) {
    bytes.come(socket, text);
    world.run();
  }
  /// The worker has taken all that it was offered.
  void takes_all(test::fake_process& process) {
    process.ledger.taken = process.offered.size();
    process.says(wire::room{});
    world.run();
  }
  /// A connection is over: the worker returns its lease.
  void closes(test::fake_process& process, std::size_t which) {
    process.returned.push_back(process.leases.at(which) - 1);
    process.says(wire::room{});
    world.run();
  }
  void kill(test::fake_process& process) {
    process.is_killed(SIGKILL);
    world.run();
  }
};

std::string asks_as(const std::string& who) {
  return "GET / HTTP/1.1\r\nCookie: c=" + who + "\r\n\r\n";
}

} // namespace

TEST_CASE("least connections: what workers close is told, and counts at once") {
  service s{least_connections};
  auto& web1 = s.start(1);
  auto& web2 = s.start(2);
  for (int i = 0; i < 4; ++i) s.client();
  REQUIRE(web1.offered.size() == 2);
  REQUIRE(web2.offered.size() == 2);
  s.takes_all(web1);
  s.takes_all(web2);
  s.closes(web2, 0);
  s.closes(web2, 1);
  s.client();
  s.client();
  CHECK(web1.offered.size() == 2);
  CHECK(web2.offered.size() == 4);
}

TEST_CASE("least connections: a restarted dispatcher hears how many everybody has") {
  service s{least_connections};
  auto& web1 = s.start(1);
  for (int i = 0; i < 3; ++i) s.client();
  s.takes_all(web1);
  caf::anon_send_exit(s.balancing, caf::exit_reason::kill);
  s.world.run();
  auto& web2 = s.start(2);
  s.start_dispatcher();
  for (int i = 0; i < 3; ++i) s.client();
  CHECK(web1.offered.size() == 3);
  CHECK(web2.offered.size() == 3);
}

TEST_CASE("turns go on where they were when the dispatcher is restarted") {
  service s{round_robin};
  auto& web1 = s.start(1);
  auto& web2 = s.start(2);
  s.client();
  caf::anon_send_exit(s.balancing, caf::exit_reason::kill);
  s.world.run();
  s.start_dispatcher();
  s.client();
  CHECK(web1.offered.size() == 1);
  CHECK(web2.offered.size() == 1);
}

TEST_CASE("ip hash: all connections of one address go to one worker, its port not counted") {
  service s{ip_hash};
  std::vector<test::fake_process*> all;
  for (unsigned slot = 1; slot <= 5; ++slot) all.push_back(&s.start(slot));
  std::vector<test::tcp_pair> pairs;
  for (int i = 0; i < 10; ++i) {
    pairs.push_back(test::make_tcp_pair());
    std::vector<os::unique_fd> one;
    one.push_back(std::move(pairs.back().server));
    s.accepted(std::move(one));
  }
  std::size_t with = 0;
  for (const auto* worker : all) {
    CHECK((worker->offered.empty() || worker->offered.size() == 10));
    with += worker->offered.empty() ? 0 : 1;
  }
  CHECK(with == 1);
}

TEST_CASE("a client of a dead worker is served by another one at once, and later at home again") {
  service s{sticky_cookie("c")};
  std::map<unsigned, test::fake_process*> all;
  for (unsigned slot = 1; slot <= 3; ++slot) all[slot] = &s.start(slot);
  s.client(asks_as("blue"));
  unsigned home = 0;
  for (const auto& [slot, worker] : all)
    if (!worker->offered.empty()) home = slot;
  REQUIRE(home != 0);
  s.takes_all(*all[home]);
  s.kill(*all[home]);
  unsigned refuge = 0;
  for (const auto& [slot, worker] : all)
    if (slot != home && !worker->offered.empty()) refuge = slot;
  REQUIRE(refuge != 0);
  s.client(asks_as("blue"));
  CHECK(all[refuge]->offered.size() == 2);
  auto& next = s.start(home, 2);
  s.client(asks_as("blue"));
  CHECK(next.offered.size() == 1);
  // What the refuge had goes home when it dies: it still is known whose connection it is.
  s.takes_all(*all[refuge]);
  s.kill(*all[refuge]);
  CHECK(next.offered.size() == 3);
}

TEST_CASE("sticky: who says nothing is given out when the time is over") {
  service s{sticky_cookie("c")};
  auto& web1 = s.start(1);
  s.client();
  s.world.advance(limits::first_bytes_wait / 2 - 1ms);
  CHECK(web1.offered.empty());
  const int second = s.client();
  s.world.advance(2ms);
  CHECK(web1.offered.size() == 1);
  s.world.advance(limits::first_bytes_wait / 2 + 1ms);
  CHECK(web1.offered.size() == 2);
  CHECK(web1.sockets.back() == second);
  CHECK(s.bytes.watched() == 0);
}

TEST_CASE("sticky: a head that comes later is found, and a client that leaves costs nothing") {
  service s{sticky_cookie("c")};
  auto& web1 = s.start(1);
  const int first = s.client();
  const int second = s.client();
  s.bytes.end(first);
  s.world.run();
  CHECK(::fcntl(first, F_GETFD) == -1);
  s.sends(second, asks_as("red"));
  CHECK(web1.sockets == std::vector<int>{second});
  CHECK(s.bytes.watched() == 0);
  s.takes_all(web1);
  s.world.advance(1min);
  CHECK(web1.offered.size() == 1);
}

TEST_CASE("sticky: the end of accepting gives out first who has not spoken yet") {
  service s{sticky_cookie("c")};
  auto& web1 = s.start(1);
  s.client();
  s.client("GET / HT");
  s.world.deliver(s.balancing, everything_passed{s.others});
  CHECK(web1.offered.size() == 2);
  CHECK(s.heard.accepting_ended == 1);
}

TEST_CASE("sticky: silent clients do not keep the listener from accepting") {
  service s{sticky_cookie("c")};
  auto& web1 = s.start(1);
  for (std::size_t i = 0; i < limits::first_bytes_awaited + 10; ++i) s.client();
  CHECK(s.heard.accepting == 1);
  CHECK(web1.offered.size() == 10);
}

TEST_CASE("sticky: a dispatcher that is restarted closes who waited, and begins anew") {
  service s{sticky_cookie("c")};
  auto& web1 = s.start(1);
  const int client = s.client();
  caf::anon_send_exit(s.balancing, caf::exit_reason::kill);
  s.world.run();
  CHECK(::fcntl(client, F_GETFD) == -1);
  CHECK(s.bytes.watched() == 0);
  CHECK(s.log.has("1 connections that no worker took are closed"));
  s.start_dispatcher();
  s.sends(s.client(), asks_as("green"));
  CHECK(web1.offered.size() == 1);
}

TEST_CASE("custom: the function is asked for each connection, with loads and address") {
  std::vector<std::string> seen;
  service s{custom([&](std::span<const worker_load> ready, const newcomer& who) {
    std::string text{who.address};
    for (const auto& w : ready) text += " " + std::to_string(w.open);
    seen.push_back(text + (who.returned ? " returned" : ""));
    return ready.size() - 1;
  })};
  s.start(1);
  auto& web2 = s.start(2);
  auto pair = test::make_tcp_pair();
  std::vector<os::unique_fd> one;
  one.push_back(std::move(pair.server));
  s.accepted(std::move(one));
  s.client();
  CHECK(web2.offered.size() == 2);
  s.takes_all(web2);
  web2.recover = [](const offered_connection&) {
    return recovered_lease{.goes_on = true, .carried = std::make_unique<carried_lease>()};
  };
  s.kill(web2);
  CHECK(seen ==
        std::vector<std::string>{"127.0.0.1 0 0", " 0 1", "127.0.0.1 0 returned", " 1 returned"});
}
