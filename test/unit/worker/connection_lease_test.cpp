// Connections under protection: one set leaves them behind, as a worker that dies does, and another
// one goes on with what their slots and the kernel say.
#include "support/connection_world.hpp"
#include "unit/lease/slot_memory.hpp"

#include <coppice/runtime/os/tcp_counters.hpp>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/time.h>

using namespace coppice;
using namespace coppice::test;

namespace {

/// A connection, its client, and the workers that have it one after the other.
struct moving_connection {
  explicit moving_connection(script& s, socket_sizes sizes = {}) : script_{s} {
    auto pair = make_tcp_pair(sizes);
    ours = std::move(pair.server);
    client = std::move(pair.client);
    world.emplace();
  }

  void adopt() {
    world->set->serve_with(
        [this](leased_connection& c) {
          script_.lease = &c;
          return std::make_unique<scripted_user>(script_);
        },
        protection::request);
    REQUIRE(world->set->adopt(os::duplicate(ours.get()).value(), id, 0, memory.table, slot()));
    world->settle();
  }

  /// The worker dies, and another one gets what it has left.
  lease_verdict move(blame whose = blame::none) {
    world.reset();
    return move_to_new(whose);
  }
  lease_verdict move_to_new(blame whose = blame::none) {
    const auto seen = os::read_tcp_counters(ours.get()).value();
    const auto verdict = judge(memory.reader.head(slot()).value(), id,
                               {seen.taken(), seen.written(), seen.fin_sent, seen.over},
                               protection::request, whose, history);
    history = verdict.history;
    INFO(verdict.why);
    REQUIRE(verdict.fate == lease_fate::goes_on);
    const auto carried = memory.reader.carry(slot(), verdict).value();
    ++id;
    REQUIRE(memory.reader.put(slot(), id, carried));
    world.emplace();
    adopt();
    return verdict;
  }

  std::uint32_t slot() const { return static_cast<std::uint32_t>(id % 2); }

  script& script_;
  slot_memory memory;
  os::unique_fd ours, client;
  std::uint64_t id = 0;
  exchange_history history;
  std::optional<connection_world> world;
};

} // namespace

TEST_CASE("another worker goes on with half a request", "[protection]") {
  script s;
  s.on_input = echo_lines;
  moving_connection it{s};
  send_all(it.client, "first\nsec");
  it.adopt();
  CHECK(it.world->receive_exactly(it.client, 6) == "first\n");
  it.world->until([&] { return s.lease != nullptr && s.lease->input() == "sec"; });
  CHECK(it.move().input.size == 3);
  CHECK(s.lease->input() == "sec");
  CHECK(s.lease->attempt() == 1);
  send_all(it.client, "ond\n");
  CHECK(it.world->receive_exactly(it.client, 7) == "second\n");
}

TEST_CASE("a request that a handler was at is shown again, and knows it", "[protection]") {
  script s;
  s.on_input = [](leased_connection& c) { c.replayable(true); };
  moving_connection it{s};
  send_all(it.client, "again\n");
  it.adopt();
  it.world->until([&] { return s.inputs == 1; });
  it.move();
  CHECK(s.inputs == 2);
  REQUIRE(s.lease != nullptr);
  CHECK(s.lease->attempt() == 2);
  CHECK(s.lease->input() == "again\n");
  s.lease->reply(6, std::string_view{"done\n"});
  CHECK(it.world->receive_exactly(it.client, 5) == "done\n");
  CHECK(s.lease->attempt() == 1);
}

TEST_CASE("an exchange that may not be run twice is told to its user", "[protection]") {
  script s;
  s.on_input = [](leased_connection& c) { c.replayable(false); };
  moving_connection it{s};
  send_all(it.client, "once\n");
  it.adopt();
  it.world->until([&] { return s.inputs == 1; });
  CHECK(it.move().next.phase == exchange_phase::abandoned);
  CHECK_THROWS(it.world->receive_to_end(it.client)); // whoever does not answer resets
}

TEST_CASE("an answer that waits for a slow client is completed by another worker", "[protection]") {
  const std::string large = pattern(60'000);
  script s;
  s.on_input = [&](leased_connection& c) { c.reply(c.input().size(), large); };
  moving_connection it{s, {.server_send = 4608, .client_receive = 4608}};
  send_all(it.client, "x");
  it.adopt();
  it.world->until([&] { return s.inputs == 1; });
  CHECK(s.lease->unsent() > 0);
  CHECK(it.move().output.size > 0);
  CHECK(s.inputs == 1);
  CHECK(it.world->receive_exactly(it.client, large.size()) == large);
}

TEST_CASE("a connection that another worker held is freed of its flags", "[protection]") {
  script s;
  s.on_input = echo_lines;
  moving_connection it{s};
  it.adopt();
  const int fd = it.ours.get();
  const int on = 1;
  const int off = 0;
  const linger lingering{1, 30};
  const timeval timeout{1, 0};
  ::setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof off);
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &lingering, sizeof lingering);
  ::setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &off, sizeof off);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  it.move();

  const auto option = [&](int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(fd, level, name, &value, &size);
    return value;
  };
  CHECK(option(IPPROTO_TCP, TCP_CORK) == 0);
  CHECK(option(IPPROTO_TCP, TCP_NODELAY) == 1);
  CHECK(option(SOL_SOCKET, SO_LINGER) == 0);
  CHECK(option(SOL_SOCKET, SO_OOBINLINE) == 1);
  CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("a close goes on where it was left", "[protection]") {
  const std::string large = pattern(60'000);
  script s;
  s.on_input = [&](leased_connection& c) {
    const std::string_view piece = large;
    c.reply(c.input().size(), {&piece, 1}, true);
    c.close();
  };
  moving_connection it{s, {.server_send = 4608, .client_receive = 4608}};
  send_all(it.client, "x");
  it.adopt();
  it.world->until([&] { return s.inputs == 1; });
  CHECK(it.move().next.phase == exchange_phase::closing);
  CHECK(it.world->receive_to_end(it.client) == large);
  CHECK(s.inputs == 1);
}

TEST_CASE("input beyond the journal and answers beyond the stage leave the slot, and come back",
          "[protection]") {
  const std::string line = std::string(50'000, 'l') + "\n";
  const std::string large = pattern(stage_size + 50'000);
  script s;
  s.on_input = [&](leased_connection& c) {
    if (const auto end = c.input().find('\n'); end != std::string_view::npos)
      c.reply(end + 1, end > 10 ? std::string_view{large} : std::string_view{"short\n"});
  };
  moving_connection it{s};
  it.adopt();
  send_all(it.client, line);
  CHECK(it.world->receive_exactly(it.client, large.size()) == large);
  it.world->until([&] { return s.lease->unsent() == 0; });
  it.move();
  send_all(it.client, "next\n");
  CHECK(it.world->receive_exactly(it.client, 6) == "short\n");
}

TEST_CASE("a worker that drains gives idle connections back alive, others once they are answered",
          "[protection]") {
  script s;
  s.on_input = [](leased_connection& c) {
    if (c.input() == "wait\n")
      c.replayable(true);
    else
      echo_lines(c);
  };
  moving_connection it{s};
  it.adopt();
  send_all(it.client, "wait\n");
  it.world->until([&] { return s.inputs == 1; });
  it.world->set->drain(true);
  it.world->settle();
  CHECK(s.gone == 0);
  CHECK(s.drains == 0);
  CHECK(it.memory.reader.returned()->empty());
  s.lease->reply(5, std::string_view{"answer\n"});
  it.world->settle();
  CHECK(s.gone == 1);
  CHECK(it.world->set->size() == 0);
  const auto returned = it.memory.reader.returned().value();
  REQUIRE(returned.size() == 1);
  CHECK(returned_alive(returned[0]));
  it.move();
  CHECK(it.world->receive_exactly(it.client, 7) == "answer\n");
  send_all(it.client, "more\n");
  CHECK(it.world->receive_exactly(it.client, 5) == "more\n");
}

TEST_CASE("a connection that closes returns its lease", "[protection]") {
  script s;
  s.on_input = [](leased_connection& c) {
    if (c.input_ended()) c.close(close_mode::at_once);
  };
  moving_connection it{s};
  it.adopt();
  ::shutdown(it.client.get(), SHUT_WR);
  it.world->until([&] { return s.gone == 1; });
  const auto returned = it.memory.reader.returned().value();
  REQUIRE(returned.size() == 1);
  CHECK(slot_of(returned[0]) == 0);
  CHECK_FALSE(returned_alive(returned[0]));
}

TEST_CASE("an exchange that is over is not run twice because the next one may be", "[protection]") {
  const std::string large = pattern(60'000);
  int posts = 0;
  script s;
  s.on_input = [&](leased_connection& c) {
    for (auto end = c.input().find('\n'); end != std::string_view::npos;
         end = c.input().find('\n')) {
      const auto line = c.input().substr(0, end);
      if (line == "post") ++posts;
      c.replayable(line != "post");
      if (line == "wait") return;
      c.reply(end + 1, large);
    }
  };
  // Nobody reads, so the second answer finds the stage full: it leaves the slot, unsent.
  moving_connection it{s, {.server_send = 4608, .client_receive = 4608}};
  send_all(it.client, "get\npost\nwait\n");
  it.adopt();
  it.world->until([&] { return posts == 1; });
  CHECK(it.move().next.phase == exchange_phase::abandoned);
  CHECK(posts == 1);
}

TEST_CASE("exchanges that may all be run again are, from the first that is not sent",
          "[protection]") {
  const std::string large = pattern(60'000);
  script s;
  s.on_input = [&](leased_connection& c) {
    for (auto end = c.input().find('\n'); end != std::string_view::npos;
         end = c.input().find('\n')) {
      c.replayable(true);
      c.reply(end + 1, large);
    }
  };
  moving_connection it{s, {.server_send = 4608, .client_receive = 4608}};
  send_all(it.client, "one\ntwo\n");
  it.adopt();
  it.world->until([&] { return s.inputs == 1; });
  CHECK(it.move().input.size == 4);
  CHECK(it.world->receive_exactly(it.client, 120'000) == large + large);
}

TEST_CASE("urgent bytes are counted as what they are: bytes of the stream", "[protection]") {
  script s;
  s.on_input = echo_lines;
  moving_connection it{s};
  it.adopt();
  const auto urgent = [&](std::string_view bytes) {
    REQUIRE(::send(it.client.get(), bytes.data(), bytes.size(), MSG_OOB | MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
  };
  send_all(it.client, "first\n");
  CHECK(it.world->receive_exactly(it.client, 6) == "first\n");
  urgent("ur");
  it.world->until([&] { return s.lease != nullptr && s.lease->input() == "ur"; });
  CHECK(it.move().input.size == 2);
  CHECK(s.lease->input() == "ur");
  // What comes while nobody has the connection is not counted as taken, nor shown twice.
  it.world.reset();
  urgent("ge");
  send_all(it.client, "nt\n");
  CHECK(it.move_to_new().input.size == 2);
  CHECK(it.world->receive_exactly(it.client, 7) == "urgent\n");
}
