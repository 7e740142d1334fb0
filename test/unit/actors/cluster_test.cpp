// The cluster's actors in virtual time, against fake processes, channels and sockets.
#include "support/actor_world.hpp"
#include "support/catch.hpp"
#include "support/fake_acceptor.hpp"
#include "support/fake_link.hpp"
#include "support/log_lines.hpp"

#include <coppice/actors/dispatcher.hpp>
#include <coppice/actors/listener.hpp>
#include <coppice/actors/worker_proxy.hpp>
#include <coppice/runtime/limits.hpp>
#include <csignal>
#include <functional>
#include <map>

using namespace coppice;
using namespace std::chrono_literals;

namespace {

/// Stands for the supervisor and the primary: keeps what it is told.
struct overseer {
  struct heard {
    std::vector<child_ready> ready;
    std::vector<child_ended> ended;
    std::vector<child_retires> retires;
    int accepting_ended = 0;
  };
  caf::event_based_actor* self;
  heard* notes;
  overseer(caf::event_based_actor* s, heard* n) : self{s}, notes{n} {}
  caf::behavior make_behavior() {
    return {[this](const child_ready& m) { notes->ready.push_back(m); },
            [this](const child_ended& m) { notes->ended.push_back(m); },
            [this](const child_retires& m) { notes->retires.push_back(m); },
            [this](const accepting_ended&) { ++notes->accepting_ended; }};
  }
};

struct cluster {
  test::log_lines log; // first: the actors write to it until the world ends
  std::map<std::string, test::fake_process> processes;
  test::fake_acceptor socket;
  overseer::heard heard;
  std::shared_ptr<pool_roster> pool = std::make_shared<pool_roster>();
  test::actor_world world;
  caf::actor above;
  caf::actor dispatcher_actor;
  caf::actor listener_actor;
  std::map<std::string, caf::actor> proxies;
  health_limits health{.hang_timeout = std::nullopt}; // of the workers started from now on
  double draw = 0;
  protection level = protection::none; // the same

  explicit cluster(const std::function<void(pool_roster&)>& set_up = [](pool_roster&) {}) {
    pool->name = "web";
    set_up(*pool);
    above = port::spawn_state<overseer>(world.system(), &heard);
    start_dispatcher();
    listener_actor = port::spawn_state<listener>(
        world.system(), listener_parts{&socket, pool, 0, deliver<connection_waits>(), &log});
    world.run();
  }
  ~cluster() { // the world kills what is left, and the links know their processes until then
    proxies.clear();
  }

  template <class M>
  deliver_to<M> deliver() {
    return [this](const caf::actor_addr& to, M m) {
      port::anon_mail(std::move(m)).send(caf::actor_cast<caf::actor>(to));
    };
  }
  void start_dispatcher() {
    dispatcher_actor = port::spawn_state<dispatcher>(
        world.system(),
        dispatcher_parts{.pool = pool, .log = &log, .deliver_seat = deliver<seat_free>()});
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
                                           above,
                                           std::make_unique<test::fake_link>(process),
                                           pool,
                                           level,
                                           25s,
                                           deliver<link_told>(),
                                           &log,
                                           nullptr,
                                           health,
                                           draw});
    world.run();
    process.spawned();
    world.run();
    return process;
  }
  test::fake_process& start_ready(unsigned slot, std::uint64_t incarnation = 1) {
    auto& process = start(slot, incarnation);
    process.says(wire::hello{.pid = 71, .incarnation = incarnation});
    process.says(wire::ready{});
    world.run();
    return process;
  }
  std::vector<int> clients(int n) {
    std::vector<int> numbers;
    for (int i = 0; i < n; ++i) numbers.push_back(socket.client());
    run();
    return numbers;
  }
  void run() {
    do world.run();
    while (socket.poll());
  }
  void stop(const std::string& key, stop_how how) {
    world.deliver(proxies.at(key), stop_child{how});
  }
};

} // namespace

TEST_CASE("nothing is accepted before a worker is ready") {
  cluster c;
  auto& web1 = c.start(1);
  c.clients(3);
  CHECK(c.socket.accepts == 0);
  web1.says(wire::ready{});
  c.run();
  CHECK(web1.offered.size() == 3);
  REQUIRE(c.heard.ready.size() == 1);
  CHECK(c.heard.ready[0].id == "web/1");
  CHECK(c.heard.ready[0].pid == 71);
}

TEST_CASE("connections go to the ready workers in turn, with the number of their endpoint") {
  cluster c;
  auto& web1 = c.start_ready(1);
  auto& web2 = c.start_ready(2);
  for (int i = 0; i < 10; ++i) c.clients(1);
  CHECK(web1.offered.size() == 5);
  CHECK(web2.offered.size() == 5);
  CHECK(web1.listeners == std::vector<std::uint32_t>(5, 0));
}

TEST_CASE("without credit the rest stays in the backlog until something is taken") {
  cluster c;
  auto& web1 = c.start_ready(1);
  c.clients(200);
  CHECK(web1.offered.size() == limits::worker_credit);
  CHECK(web1.room_asked > 0);
  const auto left = c.socket.backlog();
  CHECK(left > 0);
  CHECK_FALSE(c.socket.waiting());

  web1.ledger.taken = 10;
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() == limits::worker_credit + 10);
  for (int i = 0; i < 20; ++i) {
    web1.ledger.taken = web1.offered.size();
    web1.says(wire::room{});
    c.run();
  }
  CHECK(web1.offered.size() == 200);
  CHECK(c.socket.backlog() == 0);
}

TEST_CASE("what a dead worker had not taken goes to another one, in its order, and first") {
  cluster c;
  auto& web1 = c.start_ready(1);
  const auto first = c.clients(5);
  REQUIRE(web1.sockets == first);
  web1.ledger.taken = 2;
  auto& web2 = c.start_ready(2);
  web1.is_killed(SIGKILL);
  c.run();
  CHECK(web2.sockets == std::vector<int>(first.begin() + 2, first.end()));
  REQUIRE(c.heard.ended.size() == 1);
  CHECK(c.heard.ended[0].ending.how == ending::abnormal);
  CHECK(c.heard.ended[0].ending.reason.find("SIGKILL") != std::string::npos);
  CHECK(web1.destroyed);
}

TEST_CASE("with nobody else ready, what was not taken waits for the replacement") {
  cluster c;
  auto& old = c.start_ready(1);
  const auto sockets = c.clients(3);
  old.is_killed(SIGKILL);
  c.run();
  CHECK_FALSE(c.socket.waiting());
  auto& next = c.start_ready(1, 2);
  CHECK(next.sockets == sockets);
}

TEST_CASE("a connection that a worker hands back goes on to another one") {
  cluster c;
  auto& web1 = c.start_ready(1);
  const auto sockets = c.clients(1);
  auto& web2 = c.start_ready(2);
  web1.ledger.handed_back = 1;
  web1.says(wire::handed_back{{web1.offered[0]}, "out of descriptors"});
  c.run();
  CHECK(web2.sockets == sockets);
  CHECK(c.log.has("out of descriptors"));
}

TEST_CASE("a worker that refuses everything is not asked again and again") {
  cluster c;
  auto& web1 = c.start_ready(1);
  c.clients(1);
  for (std::size_t round = 1; round <= 3; ++round) {
    REQUIRE(web1.offered.size() == round);
    web1.ledger.handed_back = round;
    web1.says(wire::handed_back{{web1.offered.back()}, "no free descriptors here"});
    c.run();
    CHECK(web1.offered.size() == round);
    CHECK_FALSE(c.socket.waiting());
    c.world.advance(limits::refusal_rest);
  }
  CHECK(web1.offered.size() == 4);
  CHECK(c.socket.waiting());
}

TEST_CASE("a draining worker gets nothing more, and ends well when it exits") {
  cluster c;
  auto& web1 = c.start_ready(1);
  c.stop("web/1#1", stop_how::shutdown);
  CHECK(web1.drains == 1);
  CHECK(web1.signals.empty());
  c.clients(3);
  CHECK(web1.offered.empty());
  web1.says(wire::bye{});
  web1.exits(0);
  c.run();
  REQUIRE(c.heard.ended.size() == 1);
  CHECK(c.heard.ended[0].ending.how == ending::well);
  CHECK(web1.destroyed);
}

TEST_CASE("a handoff that crosses the drain is handed on, not lost") {
  cluster c;
  auto& web1 = c.start_ready(1);
  auto& web2 = c.start_ready(2);
  // The dispatcher has not heard of the drain when it hands over.
  std::vector<accepted_socket> one;
  one.push_back({0, os::unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}});
  port::anon_mail(stop_child{stop_how::shutdown}).send(c.proxies.at("web/1#1"));
  port::anon_mail(handoff{std::move(one)}).send(c.proxies.at("web/1#1"));
  c.run();
  CHECK(web1.offered.empty());
  CHECK(web2.offered.size() == 1);
}

TEST_CASE("hurry sends SIGTERM and kill sends SIGKILL, also to one that drains") {
  cluster c;
  auto& web1 = c.start_ready(1);
  c.stop("web/1#1", stop_how::shutdown);
  c.stop("web/1#1", stop_how::hurry);
  c.stop("web/1#1", stop_how::kill);
  CHECK(web1.signals == std::vector<int>{SIGTERM, SIGKILL});
  web1.is_killed(SIGKILL);
  c.run();
  CHECK(c.heard.ended.at(0).ending.how == ending::well);
}

TEST_CASE("a worker that breaks the grammar is killed, and its end says why") {
  cluster c;
  auto& web1 = c.start_ready(1);
  web1.tell(link_closed{failure_because("decode", "control packet", "not an array").value(), true});
  c.run();
  CHECK(web1.signals == std::vector<int>{SIGKILL});
  web1.is_killed(SIGKILL);
  c.run();
  CHECK(c.heard.ended.at(0).ending.how == ending::abnormal);
  CHECK(c.heard.ended.at(0).ending.reason.find("not an array") != std::string::npos);
}

TEST_CASE("a worker must not send what only the primary sends") {
  cluster c;
  auto& web1 = c.start_ready(1);
  web1.says(wire::drain{});
  c.run();
  CHECK(web1.signals == std::vector<int>{SIGKILL});
}

TEST_CASE("tags of a later version are ignored") {
  cluster c;
  auto& web1 = c.start_ready(1);
  web1.says(wire::unknown{12345});
  c.run();
  CHECK(web1.signals.empty());
  c.clients(1);
  CHECK(web1.offered.size() == 1);
}

TEST_CASE("a worker that closes its channel and stays is killed after a grace") {
  cluster c;
  auto& web1 = c.start_ready(1);
  web1.tell(link_closed{failure_because("closed", "control", "end of file").value(), false});
  c.run();
  CHECK(web1.signals.empty());
  c.world.advance(limits::exit_grace - 1ms);
  CHECK(web1.signals.empty());
  c.world.advance(2ms);
  CHECK(web1.signals == std::vector<int>{SIGKILL});
}

TEST_CASE("the exit code counts, not the order of exit and end of channel") {
  for (const bool channel_first : {true, false}) {
    cluster c;
    auto& web1 = c.start_ready(1);
    const link_closed closed{failure_because("closed", "control", "end of file").value(), false};
    if (channel_first) web1.tell(closed);
    web1.exits(3);
    if (!channel_first) web1.tell(closed);
    c.run();
    REQUIRE(c.heard.ended.size() == 1);
    CHECK(c.heard.ended[0].ending.reason == "exit code 3");
    c.world.advance(1min);
    CHECK(web1.signals.empty());
  }
}

TEST_CASE("the last words of a dead worker are read from its channel") {
  cluster c;
  auto& web1 = c.start_ready(1);
  const auto sockets = c.clients(2);
  web1.ledger.taken = 1;
  web1.ledger.handed_back = 1;
  web1.unread.push_back(link_said{wire::handed_back{{web1.offered[0]}, ""}});
  web1.unread.push_back(link_said{wire::failed{"the disk is gone"}});
  web1.exits(1);
  c.run();
  CHECK(c.heard.ended.at(0).ending.reason == "the disk is gone (exit code 1)");
  auto& next = c.start_ready(1, 2);
  CHECK(next.sockets == std::vector<int>{sockets[0]});
}

TEST_CASE("an end after finished work is an end with progress") {
  for (const std::uint64_t served : {0, 5}) {
    cluster c;
    auto& web1 = c.start_ready(1);
    web1.ledger.served = served;
    web1.is_killed(SIGSEGV);
    c.run();
    CHECK(c.heard.ended.at(0).ending.progress == (served > 0));
  }
}

TEST_CASE("a process that could not be made is a failed start with its reason") {
  cluster c;
  auto& process = c.processes["web/1#1"];
  c.proxies["web/1#1"] = port::spawn_state<worker_proxy>(
      c.world.system(), worker_proxy_parts{"web/1",
                                           {1, 1},
                                           1,
                                           c.above,
                                           std::make_unique<test::fake_link>(process),
                                           c.pool,
                                           protection::none,
                                           25s,
                                           c.deliver<link_told>(),
                                           &c.log});
  c.run();
  process.tell(link_spawn_failed{system_failure("clone", "web/1", EAGAIN).value()});
  c.run();
  REQUIRE(c.heard.ended.size() == 1);
  CHECK(c.heard.ended[0].ending.how == ending::start_failed);
  CHECK(c.heard.ended[0].ending.reason == "clone web/1: Resource temporarily unavailable");
  CHECK(process.destroyed);
}

TEST_CASE("without descriptors the listener rests instead of spinning, and goes on") {
  cluster c;
  auto& web1 = c.start_ready(1);
  c.socket.next(accept_kind::exhausted, {EMFILE, std::system_category()});
  c.run();
  const int accepts = c.socket.accepts;
  CHECK_FALSE(c.socket.waiting());
  c.clients(2);
  c.world.advance(limits::accept_rest - 1ms);
  CHECK(c.socket.accepts == accepts);
  c.world.advance(2ms);
  c.run();
  CHECK(web1.offered.size() == 2);
  CHECK(c.log.has("Too many open files"));
}

TEST_CASE("a client that left before it was accepted costs nothing") {
  cluster c;
  auto& web1 = c.start_ready(1);
  c.socket.next(accept_kind::try_again);
  c.clients(1);
  CHECK(web1.offered.size() == 1);
}

TEST_CASE("copies of taken connections are closed by a sweep, and a hung worker is not polled") {
  cluster c;
  auto& web1 = c.start_ready(1);
  const auto sockets = c.clients(2);
  web1.ledger.taken = 1;
  c.world.advance(limits::taken_sweep);
  CHECK(::fcntl(sockets[0], F_GETFD) == -1);
  CHECK(::fcntl(sockets[1], F_GETFD) != -1);
  c.world.advance(1min);
  CHECK(web1.room_asked == 1);
  CHECK_FALSE(c.world.waits_for_time());
  web1.ledger.taken = 2;
  web1.says(wire::room{});
  c.run();
  CHECK(::fcntl(sockets[1], F_GETFD) == -1);
}

TEST_CASE("a restarted dispatcher learns of the living, and connections flow again") {
  cluster c;
  auto& web1 = c.start_ready(1);
  c.clients(1);
  caf::anon_send_exit(c.dispatcher_actor, caf::exit_reason::kill);
  c.run();
  c.start_dispatcher();
  c.clients(2);
  CHECK(web1.offered.size() == 3);
}

TEST_CASE("a proxy whose dispatcher is gone for good ends all the same") {
  cluster c;
  auto& web1 = c.start_ready(1);
  caf::anon_send_exit(c.dispatcher_actor, caf::exit_reason::kill);
  c.dispatcher_actor = nullptr;
  c.run();
  web1.exits(0);
  c.run();
  CHECK(web1.destroyed);
}

TEST_CASE("the end of accepting leaves nobody in the backlog") {
  cluster c;
  auto& web1 = c.start_ready(1);
  c.clients(1);
  c.socket.stop_waiting(); // as if the news of these were still in the loop
  c.clients(7);
  c.world.deliver(c.listener_actor, end_accepting{c.above});
  CHECK(web1.offered.size() == 8);
  CHECK(c.socket.closed);
  CHECK(c.heard.accepting_ended == 1);
}

// ---- health

namespace {

/// Lets time pass, while this worker's heart beats on.
void beat_for(cluster& c, test::fake_process& worker, std::chrono::seconds time) {
  for (auto at = 0s; at < time; at += 1s) {
    ++worker.ledger.health.beats;
    c.world.advance(1s);
  }
}

} // namespace

TEST_CASE("a worker that hangs is aborted, continued if it was stopped, and killed in the end") {
  cluster c;
  c.health.hang_timeout = 30s;
  auto& web1 = c.start_ready(1);
  beat_for(c, web1, 600s);
  CHECK(web1.signals.empty());

  c.world.advance(29s);
  CHECK(web1.signals.empty());
  c.world.advance(2s);
  CHECK(web1.signals == std::vector{SIGABRT, SIGCONT});
  c.clients(1);
  CHECK(web1.offered.empty()); // it gets nothing more

  SECTION("it dies of it") {
    web1.is_killed(SIGABRT);
    c.run();
    CHECK(web1.signals.size() == 2);
    REQUIRE(c.heard.ended.size() == 1);
    CHECK(c.heard.ended[0].ending.how == ending::abnormal);
    CHECK(c.heard.ended[0].ending.reason == "hung: no heartbeat for 30 s (SIGABRT)");
  }
  SECTION("it does not") {
    c.world.advance(limits::abort_grace);
    CHECK(web1.signals == std::vector{SIGABRT, SIGCONT, SIGKILL});
    web1.is_killed(SIGKILL);
    c.run();
    REQUIRE(c.heard.ended.size() == 1);
    CHECK(c.heard.ended[0].ending.reason == "hung: no heartbeat for 30 s (SIGKILL)");
  }
  c.world.advance(1min);
  CHECK_FALSE(c.world.waits_for_time());
}

TEST_CASE("a worker that hangs while it drains is killed, too; one that starts has its time-out") {
  cluster c;
  c.health.hang_timeout = 30s;
  auto& web1 = c.start(1);
  c.world.advance(10min);
  CHECK(web1.signals.empty());
  web1.says(wire::ready{});
  c.run();
  beat_for(c, web1, 5s);
  c.stop("web/1#1", stop_how::shutdown);
  CHECK(web1.drains == 1);
  c.world.advance(31s);
  CHECK(web1.signals == std::vector{SIGABRT, SIGCONT});
  web1.is_killed(SIGABRT);
  c.run();
  CHECK(c.heard.ended[0].ending.how == ending::well); // it was asked to end
}

TEST_CASE("all hearts are looked at in one wake-up a second") {
  cluster c;
  c.health.hang_timeout = 30s;
  auto& web1 = c.start_ready(1);
  c.world.advance(300ms);
  auto& web2 = c.start_ready(2);
  c.world.advance(450ms);
  c.start_ready(3);
  c.world.advance(2s);
  const int before = web1.looks + web2.looks;
  const auto since = c.world.now().time_since_epoch();
  c.world.advance(std::chrono::ceil<std::chrono::seconds>(since + 1ns) - since - 1ns);
  CHECK(web1.looks + web2.looks == before);
  c.world.advance(1ns);
  CHECK(web1.looks + web2.looks == before + 2);
}

TEST_CASE("nobody looks where nothing is to be seen") {
  cluster c;
  c.start_ready(1);
  CHECK_FALSE(c.world.waits_for_time());
}

TEST_CASE("a worker that has had enough is to be replaced, and serves on") {
  cluster c;
  c.health.max_memory = 200 * 1024 * 1024;
  auto& web1 = c.start_ready(1);
  web1.ledger.health.rss_bytes = 199ull * 1024 * 1024;
  web1.ledger.served = 7;
  beat_for(c, web1, 10s);
  CHECK(c.heard.retires.empty());
  web1.ledger.health.rss_bytes = 213ull * 1024 * 1024;
  beat_for(c, web1, 10s);
  REQUIRE(c.heard.retires.size() == 1);
  CHECK(c.heard.retires[0].id == "web/1");
  CHECK(c.heard.retires[0].how.how == ending::well);
  CHECK(c.heard.retires[0].how.reason == "max_memory 200 MiB exceeded (rss 213 MiB)");
  CHECK(c.heard.retires[0].how.progress);
  c.clients(1);
  CHECK(web1.offered.size() == 1);
  CHECK(web1.drains == 0);
}

TEST_CASE("a pool's limits are not reached all at once") {
  cluster c;
  c.health.max_lifetime = 100s;
  c.health.jitter = 0.5;
  std::vector<test::fake_process*> workers;
  for (unsigned slot = 1; slot <= 5; ++slot) {
    c.draw = 0.2 * (slot - 1);
    workers.push_back(&c.start_ready(slot));
  }
  std::vector<std::size_t> gone;
  for (int at = 0; at < 160; ++at) {
    for (auto* worker : workers) ++worker->ledger.health.beats;
    c.world.advance(1s);
    if (at == 95 || at == 105 || at == 115 || at == 125 || at == 135 || at == 145)
      gone.push_back(c.heard.retires.size());
  }
  CHECK(gone == std::vector<std::size_t>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("a worker's own wish to retire goes to its supervisor, in so many words") {
  cluster c;
  auto& web1 = c.start_ready(1);
  SECTION("well") {
    web1.says(wire::retire{"the cache is fragmented", false});
    c.run();
    REQUIRE(c.heard.retires.size() == 1);
    CHECK(c.heard.retires[0].how ==
          ending{.how = ending::well, .reason = "the cache is fragmented", .pid = 71});
    c.stop("web/1#1", stop_how::shutdown);
    CHECK(web1.drains == 1);
    web1.exits(0);
    c.run();
    CHECK(c.heard.ended[0].ending.how == ending::well);
  }
  SECTION("after a failure, which is the reason of its end whenever that comes") {
    web1.says(wire::retire{"a handler threw: no such table", true});
    c.run();
    REQUIRE(c.heard.retires.size() == 1);
    CHECK(c.heard.retires[0].how.how == ending::abnormal);
    web1.exits(1);
    c.run();
    CHECK(c.heard.ended[0].ending.how == ending::abnormal);
    CHECK(c.heard.ended[0].ending.reason == "a handler threw: no such table (exit code 1)");
  }
  SECTION("while it drains it ends anyhow") {
    c.stop("web/1#1", stop_how::shutdown);
    web1.says(wire::retire{"late", false});
    c.run();
    CHECK(c.heard.retires.empty());
  }
}

TEST_CASE("while one worker of a slot drains and another serves, connections go to the new one") {
  cluster c;
  auto& old = c.start_ready(1);
  auto& successor = c.start_ready(1, 2);
  c.stop("web/1#1", stop_how::shutdown);
  CHECK(old.drains == 1);
  c.clients(4);
  CHECK(old.offered.empty());
  CHECK(successor.offered.size() == 4);
  old.exits(0);
  c.run();
  c.clients(1);
  CHECK(successor.offered.size() == 5);
}

// ---- limits

namespace {

/// A pool of at most `most` connections in all.
struct limited_pool : cluster {
  explicit limited_pool(std::size_t most)
      : cluster{
            [most](pool_roster& its) { its.seats = std::make_shared<connection_seats>(most); }} {}
};
/// One whose workers have at most `most` connections each.
struct limited_workers : cluster {
  explicit limited_workers(std::size_t most)
      : cluster{[most](pool_roster& its) { its.most_per_worker = most; }} {}
};

} // namespace

TEST_CASE("at its limit a worker gets nothing more, and what ends makes room") {
  limited_workers c{3};
  auto& web1 = c.start_ready(1);
  c.clients(5);
  CHECK(web1.offered.size() == 3);
  CHECK(c.socket.backlog() == 2); // not accepted
  CHECK_FALSE(c.socket.waiting());
  web1.ledger.taken = 3;
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() == 3);
  web1.ledger.ended = 1;
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() == 4);
  CHECK(c.socket.backlog() == 1);
  web1.ledger.taken = 4;
  web1.ledger.ended = 4;
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() == 5);
  CHECK(c.socket.backlog() == 0);
  CHECK(c.socket.waiting());
}

TEST_CASE("a worker at its limit is left out, and the others go on") {
  limited_workers c{2};
  auto& web1 = c.start_ready(1);
  c.clients(2);
  auto& web2 = c.start_ready(2);
  c.clients(3);
  CHECK(web1.offered.size() == 2);
  CHECK(web2.offered.size() == 2);
  CHECK(c.socket.backlog() == 1);
}

TEST_CASE("connections under protection are counted until their lease comes back") {
  limited_workers c{2};
  c.level = protection::request;
  auto& web1 = c.start_ready(1);
  c.clients(3);
  REQUIRE(web1.offered.size() == 2);
  web1.ledger.taken = 2;
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() == 2);
  web1.returned = {ring_entry(web1.leases[0] - 1, lease_return::over)};
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() == 3);
}

TEST_CASE("what a worker claims to have ended makes no more room than it has taken") {
  limited_workers c{3};
  auto& web1 = c.start_ready(1);
  c.clients(10);
  web1.ledger.ended = 1'000'000;
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() == 3);
  web1.ledger.taken = 3;
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() == 6);
}

TEST_CASE("a pool's limit is that of all workers together") {
  limited_pool c{4};
  auto& web1 = c.start_ready(1);
  auto& web2 = c.start_ready(2);
  c.clients(6);
  CHECK(web1.offered.size() + web2.offered.size() == 4);
  CHECK(c.pool->seats->taken() == 4);
  CHECK(c.socket.backlog() == 2);
  CHECK_FALSE(c.socket.waiting());
  web1.ledger.taken = web1.offered.size();
  web1.ledger.ended = 1;
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() + web2.offered.size() == 5);
  CHECK(c.pool->seats->taken() == 4);
}

TEST_CASE("a pool at its limit asks nobody, again and again") {
  limited_pool c{1};
  auto& web1 = c.start_ready(1);
  c.clients(3);
  web1.ledger.taken = 1;
  c.world.advance(10 * limits::taken_sweep); // until the worker is asked to say so itself
  const auto looks = web1.looks;
  const auto accepts = c.socket.accepts;
  c.world.advance(100 * limits::taken_sweep);
  CHECK(web1.looks == looks);
  CHECK(c.socket.accepts == accepts);
}

TEST_CASE("what ends with its worker has no seat any more") {
  limited_pool c{2};
  auto& web1 = c.start_ready(1);
  c.clients(2);
  web1.ledger.taken = 2;
  auto& web2 = c.start_ready(2);
  c.clients(3);
  CHECK(web2.offered.empty());
  web1.is_killed(SIGKILL);
  c.run();
  CHECK(web2.offered.size() == 2);
  CHECK(c.socket.backlog() == 1);
}

TEST_CASE("what goes on in another worker keeps its seat") {
  limited_pool c{2};
  auto& web1 = c.start_ready(1);
  const auto first = c.clients(2);
  auto& web2 = c.start_ready(2);
  c.clients(2);
  web1.is_killed(SIGKILL);
  c.run();
  CHECK(web2.sockets == first);
  CHECK(c.pool->seats->taken() == 2);
  CHECK(c.socket.backlog() == 2);
}

TEST_CASE("a dispatcher that is restarted keeps to the limits") {
  limited_pool c{2};
  auto& web1 = c.start_ready(1);
  c.clients(4);
  caf::anon_send_exit(c.dispatcher_actor, caf::exit_reason::kill);
  c.world.run();
  c.start_dispatcher();
  c.run();
  CHECK(web1.offered.size() == 2);
  CHECK(c.socket.backlog() == 2);
  web1.ledger.taken = 2;
  web1.ledger.ended = 2;
  web1.says(wire::room{});
  c.run();
  CHECK(web1.offered.size() == 4);
  CHECK(c.socket.backlog() == 0);
}

TEST_CASE("a stop at the limit leaves the rest in the backlog, and ends") {
  limited_pool c{2};
  auto& web1 = c.start_ready(1);
  c.clients(5);
  c.world.deliver(c.listener_actor, end_accepting{c.above});
  c.run();
  CHECK(c.heard.accepting_ended == 1);
  CHECK(web1.offered.size() == 2);
  CHECK(c.socket.closed);
}

// ---- datagrams

TEST_CASE("every incarnation of a worker is given the pool's datagram sockets when it is ready") {
  cluster c{[](pool_roster& its) {
    for (const std::uint32_t listener : {1u, 3u}) {
      datagram_endpoint one;
      one.listener = listener;
      its.datagrams.push_back(std::move(one));
    }
  }};
  const std::vector<std::uint32_t> both{1, 3};
  auto& web1 = c.start(1);
  CHECK(web1.datagrams.empty());
  web1.says(wire::ready{});
  c.run();
  CHECK(web1.datagrams == both);
  web1.is_killed(SIGKILL);
  c.run();
  CHECK(c.start_ready(1, 2).datagrams == both);
}

TEST_CASE("a worker that is ready when the service ends is given none") {
  cluster c{[](pool_roster& its) { its.datagrams.emplace_back(); }};
  auto& web1 = c.start(1);
  c.pool->ending = true;
  web1.says(wire::ready{});
  c.run();
  CHECK(web1.datagrams.empty());
}
