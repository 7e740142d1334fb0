// What goes through a leased connection: real loopback TCP, with small buffers where it matters.
#include "support/connection_world.hpp"
#include "support/text.hpp"

#include <array>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <vector>

using namespace coppice;
using namespace coppice::test;

TEST_CASE("a request that is there before the adoption is answered within it", "[connection]") {
  connection_world world;
  script s;
  s.on_input = echo_lines;
  auto pair = make_tcp_pair();
  send_all(pair.client, "hello\n");
  REQUIRE(await(pair.server.get(), POLLIN));
  world.adopt(s, std::move(pair.server));
  CHECK(s.inputs == 1); // the loop has not turned
  CHECK(receive_exactly(pair.client, 6) == "hello\n");
  CHECK(world.set->served() == 1);
}

TEST_CASE("exchanges follow one another on one connection", "[connection]") {
  connection_world world;
  script s;
  s.on_input = echo_lines;
  const auto client = world.adopt(s);
  for (int i = 0; i < 100; ++i) {
    const std::string line = "request " + std::to_string(i) + "\n";
    send_all(client, line);
    REQUIRE(world.receive_exactly(client, line.size()) == line);
  }
  CHECK(world.set->served() == 100);
  CHECK(s.flushes == 0); // nothing had to wait
  CHECK(s.lease->attempt() == 1);
  CHECK(s.lease->input().empty());
}

TEST_CASE("a request that comes in single bytes is put together", "[connection]") {
  connection_world world;
  script s;
  s.on_input = echo_lines;
  const auto client = world.adopt(s);
  const std::string line = pattern(300) + "\n";
  for (std::size_t i = 0; i < line.size(); ++i) {
    send_all(client, line.substr(i, 1));
    world.until([&] { return s.inputs == static_cast<int>(i + 1); });
  }
  CHECK(world.receive_exactly(client, line.size()) == line);
  CHECK(world.set->served() == 1);
}

TEST_CASE("pipelined requests are answered in order, a half one waits", "[connection]") {
  connection_world world;
  script s;
  s.on_input = echo_lines;
  const auto client = world.adopt(s);
  send_all(client, "one\ntwo\nthree\nfo");
  CHECK(world.receive_exactly(client, 14) == "one\ntwo\nthree\n");
  CHECK(s.lease->input() == "fo");
  send_all(client, "ur\nfive\n");
  CHECK(world.receive_exactly(client, 10) == "four\nfive\n");
  CHECK(s.lease->input().empty());
}

TEST_CASE("the pieces of an answer are gathered, and a reply may point into its request",
          "[connection]") {
  connection_world world;
  script s;
  s.on_input = [](leased_connection& c) {
    const auto line = c.input();
    const std::array<std::string_view, 3> pieces{"<", line, ">"};
    c.reply(line.size(), pieces);
  };
  const auto client = world.adopt(s);
  send_all(client, "abc");
  CHECK(world.receive_exactly(client, 5) == "<abc>");
}

TEST_CASE("an answer from outside a callback is sent at once", "[connection]") {
  connection_world world;
  script s;
  const auto client = world.adopt(s);
  send_all(client, "question");
  world.until([&] { return s.inputs == 1; });
  CHECK(s.lease->input() == "question");
  s.lease->interim("wait ");
  s.lease->reply(4, "answer");
  CHECK(receive_exactly(client, 11) == "wait answer"); // the loop has not turned
  CHECK(s.lease->input() == "tion");
  s.lease->reply(4, "!");
  CHECK(receive_exactly(client, 1) == "!");
  CHECK(s.lease->input().empty());
}

TEST_CASE("a large answer goes through a small socket byte for byte", "[connection]") {
  const auto sizes = GENERATE(socket_sizes{4608, 0}, socket_sizes{4608, 4608}, socket_sizes{0, 0});
  connection_world world;
  script s;
  const std::string answer = pattern(3'000'000);
  s.on_input = [&](leased_connection& c) { c.reply(c.input().size(), answer); };
  const auto client = world.adopt(s, sizes);
  send_all(client, "x");
  world.until([&] { return s.inputs == 1; });
  std::string got;
  world.until([&] { return receive_some(client, got) || got.size() >= answer.size(); });
  CHECK(got == answer);
  if (sizes.server_send > 0) {
    world.until([&] { return s.flushes == 1; });
    CHECK(s.lease->unsent() == 0);
  }
}

TEST_CASE("answers that have to wait keep their order and are told when they are out",
          "[connection]") {
  connection_world world;
  script s;
  s.on_input = echo_lines;
  const auto client = world.adopt(s, {4608, 4608});
  std::string sent;
  std::string got;
  for (int i = 0; i < 400; ++i) sent += std::to_string(i) + pattern(1000) + "\n";
  std::string_view rest = sent;
  world.until([&] {
    if (!rest.empty()) {
      const auto n = ::send(client.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
    }
    return receive_some(client, got) || got.size() >= sent.size();
  });
  CHECK(got == sent);
  world.until([&] { return s.lease->unsent() == 0; });
  CHECK(s.flushes > 0);
}

TEST_CASE("a peer that asks and never reads is not read from for ever", "[connection]") {
  connection_world world;
  script s;
  const std::string answer = pattern(100);
  s.on_input = [&](leased_connection& c) {
    while (!c.input().empty()) c.reply(1, answer);
  };
  const auto client = world.adopt(s, {4608, 4608, 4608});
  const std::string questions(64 * 1024, '?');
  std::size_t asked = 0;
  std::size_t unmoved = 0;
  while (unmoved < 50) { // until nothing moves any more
    const auto n =
        ::send(client.get(), questions.data(), questions.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) asked += static_cast<std::size_t>(n);
    unmoved = n > 0 ? 0 : unmoved + 1;
    world.settle();
  }
  // One recv may bring 16 KiB of questions, each worth an answer, after which it is full.
  CHECK(s.lease->unsent() < limits::connection_output + limits::connection_receive * answer.size());
  const int before = s.inputs;
  world.settle();
  CHECK(s.inputs == before);
  std::string got;
  world.until([&] { return receive_some(client, got) || got.size() >= asked * answer.size(); });
  CHECK(got.size() == asked * answer.size()); // and goes on when it does read
}

TEST_CASE("input stops at its limit and goes on when some is consumed", "[connection]") {
  connection_world world;
  script s;
  const auto client = world.adopt(s);
  s.lease->set_input_limit(1000);
  const std::string bytes = pattern(400'000);
  std::string_view rest = bytes;
  std::string got;
  const auto push = [&] {
    const auto n = ::send(client.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
  };
  push();
  world.until([&] { return s.inputs == 1; });
  world.settle();
  CHECK(s.inputs == 1);
  CHECK(s.lease->input().size() >= 1000);
  CHECK(s.lease->input().size() <= limits::connection_receive);
  s.lease->begin_stream();
  world.until([&] {
    if (!rest.empty()) push();
    got += s.lease->input();
    s.lease->consume(s.lease->input().size());
    return got.size() == bytes.size();
  });
  s.lease->end_stream();
  CHECK(got == bytes);
}

TEST_CASE("paused input waits in the socket, and resuming brings it", "[connection]") {
  connection_world world;
  script s;
  s.on_input = [](leased_connection& c) {
    c.reply(c.input().size(), "ok");
    c.pause_input();
  };
  const auto client = world.adopt(s);
  send_all(client, "first");
  CHECK(world.receive_exactly(client, 2) == "ok");
  send_all(client, "second");
  world.settle();
  CHECK(s.inputs == 1);
  s.lease->resume_input();
  CHECK(world.receive_exactly(client, 2) == "ok");
  CHECK(s.inputs == 2);
}

TEST_CASE("a reset is noticed although input is paused", "[connection]") {
  connection_world world;
  script s;
  s.on_input = [](leased_connection& c) { c.pause_input(); };
  auto client = world.adopt(s);
  send_all(client, "x");
  world.until([&] { return s.inputs == 1; });
  const linger abort{1, 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  client.reset();
  world.until([&] { return s.gone == 1; });
  CHECK(s.why == std::errc::connection_reset);
  CHECK(s.destroyed == 1);
  CHECK(world.set->size() == 0);
}

TEST_CASE("a streamed exchange takes and gives in parts", "[connection]") {
  connection_world world;
  script s;
  std::size_t taken = 0;
  const std::string body = pattern(1'000'000);
  s.on_input = [&](leased_connection& c) {
    if (!c.streaming()) c.begin_stream();
    taken += c.input().size();
    c.write(c.input());
    c.consume(c.input().size());
    if (taken == body.size()) c.end_stream();
  };
  const auto client = world.adopt(s, {4608, 0});
  std::string_view rest = body;
  std::string got;
  world.until([&] {
    if (!rest.empty()) {
      const auto n = ::send(client.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
    }
    return receive_some(client, got) || got.size() >= body.size();
  });
  CHECK(got == body);
  CHECK(world.set->served() == 1);
  CHECK_FALSE(s.lease->streaming());
}

TEST_CASE("output written in portions, each when the one before is out, arrives whole",
          "[connection]") {
  connection_world world;
  script s;
  const std::string body = pattern(500'000);
  std::size_t written = 0;
  const auto more = [&](leased_connection& c) {
    while (written < body.size() && c.unsent() == 0) {
      const std::string_view next = std::string_view{body}.substr(written, 50'000);
      written += next.size();
      c.write(next);
    }
  };
  s.on_input = [&](leased_connection& c) {
    c.begin_stream();
    c.consume(c.input().size());
    more(c);
  };
  s.on_flushed = more;
  const auto client = world.adopt(s, {4608, 4608});
  send_all(client, "go");
  CHECK(world.receive_exactly(client, body.size()) == body);
  CHECK(s.flushes >= 9);
}

TEST_CASE("a half-closed peer still gets its answer", "[connection]") {
  connection_world world;
  script s;
  bool ended_with_input = false;
  s.on_input = [&](leased_connection& c) {
    if (!c.input_ended()) return;
    ended_with_input = !c.input().empty();
    c.reply(c.input().size(), "late answer");
    c.close(close_mode::at_once);
  };
  const auto client = world.adopt(s);
  send_all(client, "question");
  ::shutdown(client.get(), SHUT_WR);
  CHECK(world.receive_to_end(client) == "late answer");
  CHECK(ended_with_input);
}

TEST_CASE("after the peer's end the loop rests", "[connection]") {
  connection_world world;
  script s;
  const auto client = world.adopt(s);
  send_all(client, "x");
  ::shutdown(client.get(), SHUT_WR);
  world.until([&] { return s.lease->input_ended(); });
  world.settle();
  CHECK(s.inputs == 2);
  world.loop.restart();
  CHECK(world.loop.poll() == 0); // no event goes round and round
  s.lease->reply(1, "still here");
  CHECK(receive_exactly(client, 10) == "still here");
}

TEST_CASE("a deadline comes once, can be moved and can be unset", "[connection]") {
  using namespace std::chrono_literals;
  connection_world world;
  script early;
  script moved;
  script unset;
  const auto a = world.adopt(early);
  const auto b = world.adopt(moved);
  const auto c = world.adopt(unset);
  const auto begin = std::chrono::steady_clock::now();
  early.lease->set_deadline(30ms);
  moved.lease->set_deadline(10ms);
  moved.lease->set_deadline(250ms);
  unset.lease->set_deadline(20ms);
  unset.lease->set_deadline(std::nullopt);
  world.until([&] { return early.timeouts == 1; });
  CHECK(std::chrono::steady_clock::now() - begin >= 20ms); // less one timer tick
  CHECK(moved.timeouts == 0);
  world.until([&] { return moved.timeouts == 1; });
  CHECK(std::chrono::steady_clock::now() - begin >= 240ms);
  CHECK(early.timeouts == 1);
  CHECK(unset.timeouts == 0);
}

TEST_CASE("a timeout may answer and close", "[connection]") {
  connection_world world;
  script s;
  s.on_timeout = [](leased_connection& c) {
    c.interim("too late");
    c.close();
  };
  const auto client = world.adopt(s);
  s.lease->set_deadline(std::chrono::milliseconds{5});
  CHECK(world.receive_to_end(client) == "too late");
  CHECK(s.gone == 1);
}

TEST_CASE("nothing blocks although the socket is blocking", "[connection]") {
  connection_world world;
  script s;
  s.on_input = [](leased_connection& c) { c.reply(c.input().size(), pattern(2'000'000)); };
  auto pair = make_tcp_pair({4608, 4608});
  ::fcntl(pair.server.get(), F_SETFL, ::fcntl(pair.server.get(), F_GETFL) & ~O_NONBLOCK);
  world.adopt(s, std::move(pair.server)); // would hang in recv
  send_all(pair.client, "x");             // and then in send
  CHECK(world.receive_exactly(pair.client, 2'000'000) == pattern(2'000'000));
}

TEST_CASE("what a connection is called and where it comes from can be asked", "[connection]") {
  connection_world world;
  script s;
  world.set->serve_with([&s](leased_connection& c) {
    s.lease = &c;
    return std::make_unique<scripted_user>(s);
  });
  auto pair = make_tcp_pair();
  world.set->adopt(std::move(pair.server), 4711, 3);
  CHECK(s.lease->id() == 4711);
  CHECK(s.lease->listener() == 3);
  CHECK(s.lease->peer().value() ==
        "127.0.0.1:" + std::to_string(local_endpoint(pair.client.get())->port));
}

TEST_CASE("many connections are served side by side", "[connection]") {
  connection_world world;
  script s;
  s.on_input = echo_lines;
  std::vector<os::unique_fd> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(world.adopt(s));
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i)
      send_all(clients[i], "client " + std::to_string(i) + "\n");
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const std::string line = "client " + std::to_string(i) + "\n";
      REQUIRE(world.receive_exactly(clients[i], line.size()) == line);
    }
  }
  CHECK(world.set->served() == 1000);
  CHECK(world.set->size() == 200);
}
