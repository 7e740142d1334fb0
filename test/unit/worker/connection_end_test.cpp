// How leased connections end, while somebody else may hold a duplicate of the socket: the primary
// does.
#include "support/connection_world.hpp"
#include "support/text.hpp"

#include <cerrno>
#include <fcntl.h>
#include <vector>

using namespace coppice;
using namespace coppice::test;

namespace {

/// Answers the first input and closes.
auto answer_and_close(std::string answer, close_mode how) {
  return [answer = std::move(answer), how](leased_connection& c) {
    c.reply(c.input().size(), answer);
    c.close(how);
  };
}

/// What the client sees at the end: "" for a proper end of file, else the error.
std::error_code end_seen_by(connection_world& world, const os::unique_fd& client,
                            std::string& got) {
  try {
    got = world.receive_to_end(client);
  } catch (const std::system_error& e) {
    return e.code();
  }
  return {};
}

} // namespace

TEST_CASE("closing at once ends the connection although a duplicate is open", "[connection]") {
  connection_world world;
  script s;
  s.on_input = answer_and_close("bye", close_mode::at_once);
  auto pair = make_tcp_pair();
  const auto duplicate = os::duplicate(pair.server.get()).value();
  send_all(pair.client, "hello");
  REQUIRE(await(pair.server.get(), POLLIN));
  world.adopt(s, std::move(pair.server));
  CHECK(world.set->size() == 0); // within the adoption
  CHECK(s.gone == 1);
  CHECK(s.destroyed == 1);
  CHECK_FALSE(s.why);
  CHECK(receive_to_end(pair.client) == "bye");
}

TEST_CASE("the last answer and the end arrive together", "[connection]") {
  connection_world world;
  script s;
  s.on_input = answer_and_close("bye", close_mode::at_once);
  auto pair = make_tcp_pair();
  send_all(pair.client, "hello");
  REQUIRE(await(pair.server.get(), POLLIN));
  world.adopt(s, std::move(pair.server));
  std::string got;
  while (got.size() < 3) {
    REQUIRE(await(pair.client.get(), POLLIN));
    receive_some(pair.client, got);
  }
  pollfd now{pair.client.get(), POLLIN | POLLRDHUP, 0};
  CHECK(::poll(&now, 1, 0) == 1); // the FIN came in the same segment
  CHECK((now.revents & POLLRDHUP) != 0);
}

TEST_CASE("a lingering close with unread input loses nothing of a large answer", "[connection]") {
  const bool duplicated = GENERATE(false, true);
  for (int round = 0; round < 10; ++round) {
    connection_world world;
    script s;
    const std::string answer = pattern(300'000);
    s.on_input = answer_and_close(answer, close_mode::linger);
    auto pair = make_tcp_pair({4608, 0});
    os::unique_fd duplicate;
    if (duplicated) duplicate = os::duplicate(pair.server.get()).value();
    world.adopt(s, std::move(pair.server));
    // The client sends far more than the server ever reads as input, while the answer is on its
    // way.
    const std::string body(200'000, 'x');
    std::string_view rest = body;
    std::string got;
    bool ended = false;
    world.until([&] {
      if (!rest.empty()) {
        const auto n =
            ::send(pair.client.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
      }
      if (!ended) ended = receive_some(pair.client, got);
      return ended && rest.empty();
    });
    REQUIRE(got == answer);
    CHECK(world.set->size() == 1); // it waits for the client's end
    pair.client.reset();
    world.until([&] { return world.set->size() == 0; });
    CHECK(s.gone == 1);
  }
}

TEST_CASE("a lingering close ends at once when the peer has ended already", "[connection]") {
  connection_world world;
  script s;
  s.on_input = [](leased_connection& c) {
    if (c.input_ended()) c.close(close_mode::linger);
  };
  const auto client = world.adopt(s);
  ::shutdown(client.get(), SHUT_WR);
  world.until([&] { return s.gone == 1; });
  CHECK(world.set->size() == 0);
}

TEST_CASE("a reset reaches the client although a duplicate is open", "[connection]") {
  connection_world world;
  script s;
  s.on_input = [](leased_connection& c) { c.close(close_mode::reset); };
  auto pair = make_tcp_pair();
  const auto duplicate = os::duplicate(pair.server.get()).value();
  world.adopt(s, std::move(pair.server));
  send_all(pair.client, "x");
  std::string got;
  CHECK(end_seen_by(world, pair.client, got) == std::errc::connection_reset);
  CHECK(s.gone == 1);
  CHECK_FALSE(s.why);
}

TEST_CASE("a closed descriptor leaves no dead entry in the epoll set", "[connection]") {
  connection_world world;
  std::vector<os::unique_fd> duplicates;
  std::vector<os::unique_fd> clients;
  script old;
  old.on_input = [](leased_connection& c) { c.close(close_mode::at_once); };
  for (int i = 0; i < 20; ++i) {
    auto pair = make_tcp_pair();
    duplicates.push_back(os::duplicate(pair.server.get()).value());
    clients.push_back(std::move(pair.client));
    world.adopt(old, std::move(pair.server)); // nothing to read: it enters the set
    send_all(clients.back(), "x");
  }
  world.until([&] { return old.gone == 20; });

  script next;
  const auto client = world.adopt(next); // takes the slot of one of them
  for (const auto& stale : clients)
    ::send(stale.get(), "more", 4, MSG_NOSIGNAL); // makes the duplicates readable
  for (int i = 0; i < 20; ++i)
    REQUIRE(await(duplicates[static_cast<std::size_t>(i)].get(), POLLIN));
  world.settle();
  CHECK(next.inputs == 0);
  world.loop.restart();
  CHECK(world.loop.poll() == 0); // nothing wakes the loop
  CHECK(old.inputs == 20);
}

TEST_CASE("a connection closed by another one's callback in the same batch is not called again",
          "[connection]") {
  connection_world world;
  script a;
  script b;
  const auto close_both = [&](leased_connection&) {
    for (auto* s : {&a, &b})
      if (s->lease != nullptr) s->lease->close(close_mode::at_once);
  };
  a.on_input = close_both;
  b.on_input = close_both;
  const auto one = world.adopt(a);
  const auto two = world.adopt(b);
  send_all(one, "x");
  send_all(two, "x");
  world.until([&] { return world.set->size() == 0; });
  CHECK(a.inputs + b.inputs == 1);
  CHECK(a.gone == 1);
  CHECK(b.gone == 1);
  script c;
  c.on_input = echo_lines;
  const auto three = world.adopt(c);
  send_all(three, "new\n");
  CHECK(world.receive_exactly(three, 4) == "new\n");
}

TEST_CASE("after close every call is harmless and on_gone comes through the loop", "[connection]") {
  connection_world world;
  script s;
  const auto client = world.adopt(s);
  send_all(client, "abc");
  world.until([&] { return s.inputs == 1; });
  auto& c = *s.lease;
  c.close(close_mode::at_once);
  CHECK(s.gone == 0); // not from inside the call
  CHECK(c.closed());
  c.close(close_mode::reset);
  c.reply(1, "lost");
  c.interim("lost");
  c.pause_input();
  c.resume_input();
  c.set_deadline(std::chrono::milliseconds{1});
  c.set_input_limit(1);
  CHECK_FALSE(c.release());
  CHECK_FALSE(c.peer());
  CHECK(c.unsent() == 0);
  CHECK(c.input().empty());
  world.until([&] { return s.gone == 1; });
  CHECK(s.destroyed == 1);
  CHECK(world.receive_to_end(client).empty());
  world.settle();
  CHECK(s.gone == 1);
}

TEST_CASE("output that waits is still written after the close", "[connection]") {
  const auto how = GENERATE(close_mode::linger, close_mode::at_once);
  connection_world world;
  script s;
  const std::string answer = pattern(500'000);
  s.on_input = answer_and_close(answer, how);
  auto client = world.adopt(s, {4608, 4608});
  send_all(client, "x");
  world.until([&] { return s.gone == 1; }); // the user is not kept for it
  CHECK(world.set->size() == 1);
  CHECK(world.receive_to_end(client) == answer);
  client.reset();
  world.until([&] { return world.set->size() == 0; });
}

TEST_CASE("a peer that goes away while output waits is an end like any other", "[connection]") {
  connection_world world;
  script s;
  s.on_input = [](leased_connection& c) { c.reply(c.input().size(), pattern(500'000)); };
  auto client = world.adopt(s, {4608, 4608});
  send_all(client, "x");
  world.until([&] { return s.inputs == 1; });
  client.reset(); // unread input: the kernel resets
  world.until([&] { return s.gone == 1; });
  CHECK((s.why == std::errc::connection_reset || s.why == std::errc::broken_pipe));
  CHECK(world.set->size() == 0);
}

TEST_CASE("a released socket is the caller's, non-blocking, and out of the set", "[connection]") {
  connection_world world;
  script s;
  const auto client = world.adopt(s);
  ::fcntl(client.get(), F_GETFL);
  const auto raw = s.lease->release();
  REQUIRE(raw);
  CHECK((::fcntl(raw.get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK(s.gone == 0);
  world.until([&] { return s.gone == 1; });
  CHECK(world.set->size() == 0);
  send_all(client, "for the new owner");
  REQUIRE(await(raw.get(), POLLIN));
  world.settle();
  std::string got;
  receive_some(raw, got);
  CHECK(got == "for the new owner");
  send_all(raw, "answer");
  CHECK(receive_exactly(client, 6) == "answer");
}

TEST_CASE("a socket is not released while output waits", "[connection]") {
  connection_world world;
  script s;
  s.on_input = [](leased_connection& c) { c.reply(c.input().size(), pattern(500'000)); };
  const auto client = world.adopt(s, {4608, 4608});
  send_all(client, "x");
  world.until([&] { return s.inputs == 1; });
  CHECK_FALSE(s.lease->release());
  CHECK_FALSE(s.lease->closed());
  CHECK(world.receive_exactly(client, 500'000) == pattern(500'000));
  world.until([&] { return s.flushes == 1; });
  CHECK(s.lease->release());
  world.settle();
}

TEST_CASE("a drain tells each user once, and the set says when it is empty", "[connection]") {
  connection_world world;
  int empty = 0;
  world.set->on_empty([&] { ++empty; });
  script idle;
  idle.on_drain = [](leased_connection& c) { c.close(close_mode::at_once); };
  script busy;
  const auto a = world.adopt(idle);
  const auto b = world.adopt(busy);
  world.set->drain();
  CHECK(idle.drains == 1);
  CHECK(busy.drains == 1);
  CHECK(idle.gone == 1);
  CHECK(world.set->size() == 1);
  CHECK(empty == 0);
  busy.lease->close(close_mode::at_once);
  world.until([&] { return empty == 1; });
  CHECK(world.set->size() == 0);
}

TEST_CASE("a hurry ends everything now, in whatever state it is", "[connection]") {
  connection_world world;
  script open;
  script blocked;
  script lingering;
  blocked.on_input = answer_and_close(pattern(500'000), close_mode::linger);
  lingering.on_input = answer_and_close("bye", close_mode::linger);
  const auto a = world.adopt(open);
  const auto b = world.adopt(blocked, {4608, 4608});
  const auto c = world.adopt(lingering);
  send_all(b, "x");
  send_all(c, "x");
  world.until([&] { return blocked.gone == 1 && lingering.gone == 1; });
  CHECK(world.set->size() == 3);
  world.set->hurry();
  CHECK(world.set->size() == 0);
  CHECK(open.gone == 1);
  CHECK(world.receive_to_end(a).empty());
  CHECK(world.receive_to_end(c) == "bye");
}

TEST_CASE("a user may close while it is made, or not be made at all", "[connection]") {
  connection_world world;
  script s;
  world.set->serve_with([&s](leased_connection& c) {
    c.close(close_mode::at_once);
    return std::make_unique<scripted_user>(s);
  });
  auto first = make_tcp_pair();
  world.set->adopt(std::move(first.server), 1, 0);
  CHECK(s.inputs == 0);
  CHECK(s.gone == 1);
  world.set->serve_with([](leased_connection&) { return std::unique_ptr<connection_user>{}; });
  auto second = make_tcp_pair();
  world.set->adopt(std::move(second.server), 2, 0);
  CHECK(world.set->size() == 0);
  CHECK(receive_to_end(first.client).empty());
}

TEST_CASE("a set may be destroyed with connections open, and the loop runs on", "[connection]") {
  connection_world world;
  script s;
  const auto client = world.adopt(s);
  s.lease->set_deadline(std::chrono::milliseconds{1});
  s.lease->close(close_mode::linger); // a turn is posted
  script other;
  const auto second = world.adopt(other);
  world.set.reset();
  CHECK(other.destroyed == 1);
  CHECK(other.gone == 0);
  world.settle();
}

TEST_CASE("slots are used again, and memory does not grow with connections", "[connection]") {
  connection_world world;
  script s;
  s.on_input = answer_and_close("ok", close_mode::at_once);
  for (int i = 0; i < 2000; ++i) {
    auto pair = make_tcp_pair();
    send_all(pair.client, "x");
    REQUIRE(await(pair.server.get(), POLLIN));
    world.adopt(s, std::move(pair.server));
    REQUIRE(s.gone == i + 1);
    const linger abort{1, 0}; // leaves no TIME_WAIT behind
    ::setsockopt(pair.client.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  }
  CHECK(world.set->size() == 0);
  CHECK(world.set->served() == 2000);
}
