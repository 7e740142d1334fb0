// `connection` as asio sees it: callbacks, futures of other executors, coroutines, cancellation.
#include "support/connection_world.hpp"
#include "support/text.hpp"

#include <coppice/runtime/worker/connection.hpp>

#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/strand.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <memory>
#include <optional>
#include <type_traits>

using namespace coppice;
using namespace coppice::test;
using detail::connection_stream;

static_assert(!std::is_copy_constructible_v<connection>);
static_assert(std::is_nothrow_move_constructible_v<connection>);

namespace {

/// A world whose connections are streams.
struct stream_world : connection_world {
  struct ends {
    os::unique_fd client;
    connection stream;
  };

  ends open(socket_sizes sizes = {}) {
    auto pair = make_tcp_pair(sizes);
    std::shared_ptr<connection_stream> stream;
    set->serve_with([&](leased_connection& lease) {
      stream = std::make_shared<connection_stream>(loop, lease);
      return connection_stream::make_user(stream);
    });
    set->adopt(std::move(pair.server), 1, 0);
    return {std::move(pair.client), connection{stream}};
  }
};

/// What a completion handler was given.
template <class Value>
struct outcome {
  bool done = false;
  std::error_code why;
  Value value{};
};

/// Move-only, as handlers may be.
template <class Value>
class keep {
public:
  explicit keep(outcome<Value>& into) : into_{&into} {}
  void operator()(std::error_code why, Value value) {
    REQUIRE_FALSE(into_->done);
    *into_ = {true, why, value};
  }

private:
  outcome<Value>* into_;
  std::unique_ptr<int> move_only_ = std::make_unique<int>();
};

using sized = outcome<std::size_t>;

/// Keeps a copy of the view, which is valid in the handler only.
struct shown {
  bool done = false;
  std::error_code why;
  std::string input;

  auto keep() {
    return [this](std::error_code e, std::string_view view) {
      done = true;
      why = e;
      input = view;
    };
  }
};

} // namespace

TEST_CASE("a read gives what is there, never from inside the call", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  std::array<char, 4> buffer{};
  sized first;
  stream.async_read_some(asio::buffer(buffer), keep{first});
  CHECK_FALSE(first.done);
  send_all(client, "abcdef");
  world.until([&] { return first.done; });
  CHECK_FALSE(first.why);
  CHECK(std::string_view(buffer.data(), first.value) == "abcd");

  sized second;
  stream.async_read_some(asio::buffer(buffer), keep{second});
  CHECK_FALSE(second.done); // although the bytes are there
  world.until([&] { return second.done; });
  CHECK(std::string_view(buffer.data(), second.value) == "ef");
}

TEST_CASE("a read of nothing completes with nothing", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  sized none;
  stream.async_read_some(asio::mutable_buffer{}, keep{none});
  world.until([&] { return none.done; });
  CHECK_FALSE(none.why);
  CHECK(none.value == 0);
}

TEST_CASE("the peer's end is eof, after its last bytes", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  send_all(client, "last");
  ::shutdown(client.get(), SHUT_WR);
  std::string all;
  sized got;
  asio::async_read(stream, asio::dynamic_buffer(all), keep{got});
  world.until([&] { return got.done; });
  CHECK(got.why == asio::error::eof);
  CHECK(all == "last");
}

TEST_CASE("a write larger than the socket completes when it is out, byte for byte", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open({4608, 4608});
  const std::string all = pattern(400'000);
  sized written;
  asio::async_write(stream, asio::buffer(all), keep{written});
  std::string got;
  world.until([&] { return receive_some(client, got) || got.size() >= all.size(); });
  CHECK(got == all);
  world.until([&] { return written.done; });
  CHECK_FALSE(written.why);
  CHECK(written.value == all.size());
}

TEST_CASE("a write does not complete while the peer takes nothing", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open({4608, 4608});
  const std::string all = pattern(1'000'000);
  sized written;
  asio::async_write(stream, asio::buffer(all), keep{written});
  world.settle();
  CHECK_FALSE(written.done);
  client.reset();
  world.until([&] { return written.done; });
  CHECK((written.why == asio::error::connection_reset || written.why == asio::error::broken_pipe));
  CHECK_FALSE(stream.is_open());
}

TEST_CASE("a sequence of buffers is written in order", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  std::vector<asio::const_buffer> many;
  std::string expected;
  const std::string text = pattern(500);
  for (std::size_t i = 0; i < 20; ++i) {
    many.push_back(asio::buffer(text.data() + i * 10, i));
    expected += text.substr(i * 10, i);
  }
  sized written;
  asio::async_write(stream, many, keep{written});
  world.until([&] { return written.done; });
  CHECK(written.value == expected.size());
  CHECK(receive_exactly(client, expected.size()) == expected);
}

TEST_CASE("waiting shows input without consuming it, and a reply consumes", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  shown first;
  stream.async_wait_input(first.keep());
  send_all(client, "one\ntwo");
  world.until([&] { return first.done; });
  CHECK(first.input == "one\ntwo");
  CHECK(stream.input() == "one\ntwo");

  sized replied;
  stream.async_reply(4, asio::buffer(std::string_view{"ONE\n"}), keep{replied});
  world.until([&] { return replied.done; });
  CHECK(replied.value == 4);
  CHECK(receive_exactly(client, 4) == "ONE\n");

  shown rest; // something was consumed, so what is left is shown at once
  stream.async_wait_input(rest.keep());
  world.until([&] { return rest.done; });
  CHECK(rest.input == "two");

  shown more; // and now only when there is more
  stream.async_wait_input(more.keep());
  world.settle();
  CHECK_FALSE(more.done);
  send_all(client, "\n");
  world.until([&] { return more.done; });
  CHECK(more.input == "two\n");
  CHECK(world.set->served() == 1);
}

TEST_CASE("waiting at the end shows what is left, with eof", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  shown first;
  stream.async_wait_input(first.keep());
  send_all(client, "half");
  world.until([&] { return first.done; });
  shown last;
  stream.async_wait_input(last.keep());
  ::shutdown(client.get(), SHUT_WR);
  world.until([&] { return last.done; });
  CHECK(last.why == asio::error::eof);
  CHECK(last.input == "half");
}

TEST_CASE("a reply after reads ends the exchange that they began", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  std::string line;
  sized read;
  asio::async_read_until(stream, asio::dynamic_buffer(line), '\n', keep{read});
  send_all(client, "question\n");
  world.until([&] { return read.done; });
  CHECK(line == "question\n");
  sized replied;
  stream.async_reply(0, asio::buffer(std::string_view{"answer"}), keep{replied});
  world.until([&] { return replied.done; });
  CHECK(receive_exactly(client, 6) == "answer");
  CHECK(world.set->served() == 1);
}

TEST_CASE("a pending read can be cancelled alone, and the next one works", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  asio::cancellation_signal signal;
  std::array<char, 8> buffer{};
  sized cancelled;
  stream.async_read_some(asio::buffer(buffer),
                         asio::bind_cancellation_slot(signal.slot(), keep{cancelled}));
  signal.emit(asio::cancellation_type::total);
  CHECK_FALSE(cancelled.done); // through the loop
  world.until([&] { return cancelled.done; });
  CHECK(cancelled.why == asio::error::operation_aborted);

  sized next;
  stream.async_read_some(asio::buffer(buffer), keep{next});
  signal.emit(asio::cancellation_type::terminal); // of the old one: nobody's any more
  world.settle();
  CHECK_FALSE(next.done);
  send_all(client, "data");
  world.until([&] { return next.done; });
  CHECK_FALSE(next.why);
  CHECK(next.value == 4);
}

TEST_CASE("a waiting write is cancelled only for good", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open({4608, 4608});
  const std::string all = pattern(500'000);
  asio::cancellation_signal signal;
  sized written;
  stream.async_write_some(asio::buffer(all),
                          asio::bind_cancellation_slot(signal.slot(), keep{written}));
  world.settle();
  signal.emit(asio::cancellation_type::total); // a write that has begun is not without effect
  world.settle();
  CHECK_FALSE(written.done);
  signal.emit(asio::cancellation_type::terminal);
  world.until([&] { return written.done; });
  CHECK(written.why == asio::error::operation_aborted);
}

TEST_CASE("handlers run on their own executor", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  asio::io_context other;
  auto strand = asio::make_strand(other);
  std::array<char, 8> buffer{};
  sized got;
  stream.async_read_some(asio::buffer(buffer), asio::bind_executor(strand, keep{got}));
  send_all(client, "x");
  world.until([&] { return stream.input().empty() && other.poll() == 0 && !world.loop.stopped(); });
  other.restart();
  world.until([&] {
    other.restart();
    other.poll();
    return got.done;
  });
  CHECK(got.value == 1);
}

TEST_CASE("closing completes what is pending", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  std::array<char, 8> buffer{};
  sized got;
  stream.async_read_some(asio::buffer(buffer), keep{got});
  stream.close(close_mode::at_once);
  CHECK_FALSE(got.done);
  CHECK_FALSE(stream.is_open());
  world.until([&] { return got.done; });
  CHECK(got.why == asio::error::operation_aborted);
  sized late;
  stream.async_read_some(asio::buffer(buffer), keep{late});
  world.until([&] { return late.done; });
  CHECK(late.why == asio::error::operation_aborted);
  sized write;
  stream.async_write_some(asio::buffer(buffer), keep{write});
  world.until([&] { return write.done; });
  CHECK(write.why == asio::error::operation_aborted);
  CHECK(receive_to_end(client).empty());
}

TEST_CASE("a handle that goes away closes its connection", "[stream]") {
  stream_world world;
  auto ends = world.open();
  { const connection gone = std::move(ends.stream); }
  CHECK(world.receive_to_end(ends.client).empty());
  ends.client.reset();
  world.until([&] { return world.set->size() == 0; });
}

TEST_CASE("a handle that is moved onto closes what it held", "[stream]") {
  stream_world world;
  auto a = world.open();
  auto b = world.open();
  a.stream = std::move(b.stream);
  CHECK(world.receive_to_end(a.client).empty());
  CHECK(a.stream.is_open());
}

TEST_CASE("a released stream gives its socket", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  const auto raw = stream.release();
  REQUIRE(raw);
  world.settle();
  CHECK_FALSE(stream.is_open());
  send_all(raw, "raw");
  CHECK(receive_exactly(client, 3) == "raw");
}

TEST_CASE("a drain lets a stream read what was received, and then eof", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  shown input;
  stream.async_wait_input(input.keep());
  send_all(client, "pending");
  world.until([&] { return input.done; });
  world.set->drain();
  std::string all;
  sized got;
  asio::async_read(stream, asio::dynamic_buffer(all), keep{got});
  world.until([&] { return got.done; });
  CHECK(all == "pending");
  CHECK(got.why == asio::error::eof);
  sized written; // it can still answer
  asio::async_write(stream, asio::buffer(all), keep{written});
  world.until([&] { return written.done; });
  CHECK(receive_exactly(client, 7) == "pending");
}

TEST_CASE("a drain ends a stream that waits for input", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  shown input;
  stream.async_wait_input(input.keep());
  world.set->drain();
  world.until([&] { return input.done; });
  CHECK(input.why == asio::error::eof);
}

TEST_CASE("operations that never complete are freed with the loop", "[stream]") {
  std::optional<stream_world> world{std::in_place};
  auto ends = world->open();
  std::array<char, 8> buffer{};
  sized got;
  ends.stream.async_read_some(asio::buffer(buffer), keep{got});
  world->set.reset();
  CHECK_FALSE(got.done);
  CHECK_FALSE(ends.stream.is_open());
}

namespace {

asio::awaitable<void> echo_stream(connection c) {
  std::array<char, 1024> buffer;
  for (;;) {
    const auto n = co_await c.async_read_some(asio::buffer(buffer), asio::use_awaitable);
    co_await asio::async_write(c, asio::buffer(buffer.data(), n), asio::use_awaitable);
  }
}

asio::awaitable<void> echo_exchanges(connection c) {
  for (;;) {
    const auto input = co_await c.async_wait_input(asio::use_awaitable);
    const auto end = input.find('\n');
    if (end == input.npos) continue;
    const std::string line{input.substr(0, end + 1)};
    co_await c.async_reply(line.size(), asio::buffer(line), asio::use_awaitable);
  }
}

using echo = asio::awaitable<void> (*)(connection);

} // namespace

TEST_CASE("coroutines echo every byte through small sockets", "[stream]") {
  const echo how = GENERATE(echo{echo_stream}, echo{echo_exchanges});
  stream_world world;
  auto [client, stream] = world.open({4608, 4608});
  std::exception_ptr ended;
  asio::co_spawn(world.loop, how(std::move(stream)), [&](std::exception_ptr e) { ended = e; });
  std::string sent;
  for (int i = 0; i < 100; ++i) sent += pattern(static_cast<std::size_t>(i) * 13) + "\n";
  std::string_view rest = sent;
  std::string got;
  world.until([&] {
    if (!rest.empty()) {
      const auto n = ::send(client.get(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
    }
    return receive_some(client, got) || got.size() >= sent.size();
  });
  CHECK(got == sent);
  ::shutdown(client.get(), SHUT_WR);
  world.until([&] { return ended != nullptr; });
  CHECK_THROWS_WITH(std::rethrow_exception(ended), "End of file");
  CHECK(world.receive_to_end(client).empty());
}

TEST_CASE("a coroutine that is cancelled ends in its wait", "[stream]") {
  stream_world world;
  auto [client, stream] = world.open();
  asio::cancellation_signal signal;
  std::exception_ptr ended;
  asio::co_spawn(
      world.loop, echo_exchanges(std::move(stream)),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) { ended = e; }));
  send_all(client, "line\n");
  CHECK(world.receive_exactly(client, 5) == "line\n");
  signal.emit(asio::cancellation_type::terminal);
  world.until([&] { return ended != nullptr; });
  CHECK_THROWS_WITH(std::rethrow_exception(ended), "co_await: Operation aborted.");
  CHECK(world.receive_to_end(client).empty());
}
