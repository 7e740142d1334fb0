// The first bytes of real connections over loopback.
#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/net/socket_first_bytes.hpp>
#include <coppice/runtime/os/duplicate.hpp>

#include <asio/io_context.hpp>
#include <sys/ioctl.h>

using namespace coppice;
using namespace coppice::test;

namespace {

struct watching {
  asio::io_context io{1};
  std::unique_ptr<socket_first_bytes> bytes = socket_first_bytes::open(io).value();
  std::vector<first_bytes_news> news;
  watching() {
    bytes->tell([this](std::vector<first_bytes_news> fresh) {
      news.insert(news.end(), fresh.begin(), fresh.end());
    });
  }
  /// Runs the loop until it has been told something, and forgets what.
  first_bytes_news next() {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (news.empty()) REQUIRE(io.run_one_until(until) == 1);
    const auto first = news.front();
    news.erase(news.begin());
    return first;
  }
  /// What is ready is handled; nothing may come of it.
  [[nodiscard]] bool quiet() {
    for (int i = 0; i < 100; ++i) io.poll();
    return news.empty();
  }
};

void reset(os::unique_fd& client) {
  const linger at_once{1, 0}; // close(2) sends a reset then (socket(7))
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  client.reset();
}

} // namespace

TEST_CASE("bytes are told of once each time that more have come, and stay in the socket") {
  watching w;
  auto pair = make_tcp_pair();
  REQUIRE(w.bytes->watch(7, pair.server));
  CHECK(w.bytes->peek(pair.server).what == peeked::kind::bytes);
  CHECK(w.bytes->peek(pair.server).bytes.empty());
  CHECK(w.quiet());
  for (const std::string_view all : {"GET /", "GET / HTTP/1.1\r\n"}) {
    send_all(pair.client, all.substr(w.bytes->peek(pair.server).bytes.size()));
    const auto told = w.next();
    CHECK(told.id == 7);
    CHECK_FALSE(told.ended);
    CHECK(w.bytes->peek(pair.server).bytes == all);
    CHECK(w.quiet()); // what stays there is no news
  }
  w.bytes->forget(pair.server);
  CHECK(receive_exactly(pair.server, 16) == "GET / HTTP/1.1\r\n");
}

TEST_CASE("what was there before is told, too") {
  watching w;
  auto pair = make_tcp_pair();
  send_all(pair.client, "early");
  REQUIRE(await(pair.server.get(), POLLIN));
  REQUIRE(w.bytes->watch(1, pair.server));
  CHECK(w.next().id == 1);
}

TEST_CASE("the end of a client is told: with bytes it may still read, without it is gone") {
  watching w;
  auto with = make_tcp_pair();
  auto without = make_tcp_pair();
  REQUIRE(w.bytes->watch(1, with.server));
  send_all(with.client, "half");
  CHECK(w.next().id == 1);
  ::shutdown(with.client.get(), SHUT_WR);
  const auto told = w.next();
  CHECK(told.id == 1);
  CHECK(told.ended);
  CHECK(w.bytes->peek(with.server).bytes == "half");

  REQUIRE(w.bytes->watch(2, without.server));
  without.client.reset();
  CHECK(w.next().ended);
  CHECK(w.bytes->peek(without.server).what == peeked::kind::gone);
}

TEST_CASE("a reset is an end, and such a client is gone") {
  watching w;
  auto pair = make_tcp_pair();
  REQUIRE(w.bytes->watch(1, pair.server));
  reset(pair.client);
  CHECK(w.next().ended);
  CHECK(w.bytes->peek(pair.server).what == peeked::kind::gone);
}

TEST_CASE("a socket that is forgotten is not told of, though another process has it, too") {
  watching w;
  auto pair = make_tcp_pair();
  REQUIRE(w.bytes->watch(1, pair.server));
  auto other = os::duplicate(pair.server.get());
  REQUIRE(other);
  w.bytes->forget(pair.server);
  pair.server.reset();
  send_all(pair.client, "hello");
  REQUIRE(await(other->get(), POLLIN));
  CHECK(w.quiet());
}

TEST_CASE("many sockets at once are all told of") {
  watching w;
  std::vector<tcp_pair> pairs;
  for (std::uint64_t id = 0; id < 3 * limits::first_bytes_batch; ++id) {
    pairs.push_back(make_tcp_pair());
    REQUIRE(w.bytes->watch(id, pairs.back().server));
    send_all(pairs.back().client, "x");
  }
  std::vector<int> told(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) ++told.at(w.next().id);
  CHECK(told == std::vector<int>(pairs.size(), 1));
}

TEST_CASE("no more is looked at than the limit") {
  watching w;
  auto pair = make_tcp_pair();
  send_all(pair.client, std::string(2 * limits::first_bytes, 'x'));
  const auto until = std::chrono::steady_clock::now() + patience;
  int waiting = 0;
  while (waiting < static_cast<int>(2 * limits::first_bytes)) {
    REQUIRE(std::chrono::steady_clock::now() < until);
    REQUIRE(::ioctl(pair.server.get(), FIONREAD, &waiting) == 0);
  }
  CHECK(w.bytes->peek(pair.server).bytes.size() == limits::first_bytes);
}

TEST_CASE("it may end with news under way") {
  watching w;
  auto pair = make_tcp_pair();
  send_all(pair.client, "x");
  REQUIRE(w.bytes->watch(1, pair.server));
  w.bytes.reset();
  w.io.poll();
  CHECK(w.news.empty());
}
