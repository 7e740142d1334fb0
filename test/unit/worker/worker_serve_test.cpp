// Services of coroutines in a real worker process.
#include "support/played_primary.hpp"
#include "support/text.hpp"

#include <coppice/runtime/worker/connection.hpp>

#include <array>
#include <asio/buffer.hpp>
#include <asio/read_until.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <csignal>
#include <stdexcept>
#include <string>

using namespace coppice;
using namespace coppice::test;

namespace {

asio::awaitable<void> echo(connection c) {
  std::array<char, 4096> buffer;
  for (;;) {
    const auto n = co_await c.async_read_some(asio::buffer(buffer), asio::use_awaitable);
    if (std::string_view(buffer.data(), n) == "throw\n") throw std::runtime_error{"bad request"};
    co_await asio::async_write(c, asio::buffer(buffer.data(), n), asio::use_awaitable);
  }
}

asio::awaitable<void> one_line(connection c) {
  std::string line;
  co_await asio::async_read_until(c, asio::dynamic_buffer(line), '\n', asio::use_awaitable);
  co_await asio::async_write(c, asio::buffer(line), asio::use_awaitable);
}

void serve_echo(worker& w) { w.serve(echo); }

} // namespace

TEST_CASE("a served coroutine echoes, and its connection ends when it does", "[worker]") {
  played_primary primary{[](worker& w) { w.serve(one_line); }};
  primary.expect_start();
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const auto client = primary.give_connection(id);
    send_all(client, "line\n");
    CHECK(receive_to_end(client) == "line\n");
  }
  CHECK(primary.ledger().read()->served == 3); // a stream counts as one exchange
}

TEST_CASE("a peer that goes away ends its coroutine and nothing else", "[worker]") {
  played_primary primary{serve_echo};
  primary.expect_start();
  auto leaves = primary.give_connection(1);
  auto resets = primary.give_connection(2);
  const auto stays = primary.give_connection(3);
  send_all(leaves, "a");
  send_all(resets, "b");
  CHECK(receive_exactly(leaves, 1) == "a");
  CHECK(receive_exactly(resets, 1) == "b");
  leaves.reset();
  const linger abort{1, 0};
  ::setsockopt(resets.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  resets.reset();
  for (int i = 0; i < 3; ++i) {
    send_all(stays, "c");
    CHECK(receive_exactly(stays, 1) == "c");
  }
}

TEST_CASE("an exception of a connection's coroutine has the worker replaced", "[worker]") {
  played_primary primary{serve_echo};
  primary.expect_start();
  const auto client = primary.give_connection(1);
  send_all(client, "throw\n");
  CHECK(primary.expect<wire::retire>() == wire::retire{"bad request", true});
  const auto other = primary.give_connection(2);
  send_all(other, "x");
  CHECK(receive_exactly(other, 1) == "x");
}

TEST_CASE("a drain ends coroutines that wait for input", "[worker]") {
  played_primary primary{serve_echo};
  primary.expect_start();
  auto client = primary.give_connection(1);
  send_all(client, "x");
  CHECK(receive_exactly(client, 1) == "x");
  primary.say(wire::drain{1000});
  CHECK(receive_to_end(client).empty());
  client.reset();
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 0);
}

TEST_CASE("coroutines that still wait are freed when the worker is hurried", "[worker]") {
  played_primary primary{serve_echo};
  primary.expect_start();
  const auto client = primary.give_connection(1);
  send_all(client, "x");
  CHECK(receive_exactly(client, 1) == "x");
  primary.signal(SIGTERM);
  CHECK(receive_to_end(client).empty());
  primary.signal(SIGTERM);
  primary.expect<wire::bye>();
  CHECK(primary.exit_code() == 0);
}
