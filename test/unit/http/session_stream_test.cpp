// Answers that are written piece by piece.
#include "session_world.hpp"
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>

using namespace coppice;
using namespace coppice::http;
using namespace coppice::http::testing;

namespace {

std::string head(std::string_view framing, std::string_view fields = {}) {
  return "HTTP/1.1 200 OK\r\n" + std::string{date} + "Content-Type: text/plain; charset=utf-8\r\n" +
         std::string{framing} + "\r\n" + std::string{fields} + "\r\n";
}
const std::string chunked = head("Transfer-Encoding: chunked");

/// Pieces of ten bytes.
body_source pieces(int count) {
  return [count, made = 0](std::string& out) mutable {
    out += "piece " + std::to_string(1000 + made);
    return ++made < count;
  };
}

/// Streams that the test writes.
struct open_streams {
  std::optional<std::uint64_t> length;
  std::string first;
  std::vector<body_stream> streams;

  handler how() {
    return {nullptr, [this](request, responder answer) {
              streams.push_back(answer.stream(text(first), length));
            }};
  }
};

} // namespace

TEST_CASE("a large answer is streamed in slices, as the client takes them") {
  const std::string body(1'000'000, 'x');
  world w{[&](const request&) { return text(body); }};
  w.connection.room = 0;
  w.send(get("/a") + get("/b"));
  CHECK(w.connection.staged.size() < 2 * limits::http_slice);
  CHECK(w.connection.streams == 1);
  std::string all;
  for (int i = 0; i < 40; ++i) {
    w.take(100'000);
    CHECK(w.connection.staged.size() < 2 * limits::http_slice);
    all += w.got();
  }
  const std::string one = head("Content-Length: 1000000") + body;
  CHECK((all == one + one));
  CHECK(w.connection.replies == 0);
  CHECK(w.connection.received.empty());
  CHECK_FALSE(w.connection.streaming);
}

TEST_CASE("a fast client does not keep the others from their turn") {
  world w{[&](const request&) { return text(std::string(10'000'000, 'x')); }};
  w.connection.received = get("/a");
  w.call([](session& s) { s.on_input(); });
  CHECK(w.connection.sent.size() < 2'000'000);
  w.run();
  CHECK(w.connection.sent.size() > 10'000'000);
}

TEST_CASE("content from a source is sent in chunks, with its length, or up to the end of the "
          "connection") {
  world w{[](const request&) { return text("").body(pieces(3)); }};
  w.send(get("/a"));
  CHECK(w.got() == chunked + "a\r\npiece 1000\r\na\r\npiece 1001\r\na\r\npiece 1002\r\n0\r\n\r\n");
  CHECK_FALSE(w.connection.closed());
  w.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(w.got() == chunked);
  w.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(w.got() == "HTTP/1.1 200 OK\r\n" + std::string{date} +
                       "Content-Type: text/plain; charset=utf-8\r\n" + std::string{closing} +
                       "\r\npiece 1000piece 1001piece 1002");
  CHECK(w.connection.closed());

  world sized{[](const request&) { return text("").body(pieces(2), 20); }};
  sized.send(get("/a") + get("/b"));
  const std::string one = head("Content-Length: 20") + "piece 1000piece 1001";
  CHECK(sized.got() == one + one);
}

TEST_CASE("a source is asked only when there is room") {
  int made = 0;
  world w{[&](const request&) {
    return text("").body([&](std::string& out) {
      out.assign(limits::http_slice, 'x');
      return ++made < 100;
    });
  }};
  w.connection.room = 0;
  w.send(get("/a"));
  CHECK(made == 1);
  for (int i = 0; i < 9; ++i) w.take(limits::http_slice + 1'000);
  const int asked = made;
  CHECK(asked >= 9);
  CHECK(asked <= 11);
  w.go();
  CHECK(made == asked);
}

TEST_CASE(
    "a source that throws, makes nothing, or makes too much or too little breaks the connection") {
  const auto broken = [](body_source source, std::optional<std::uint64_t> length) {
    options choices;
    choices.fail_on_exception = false;
    world w{[&](const request&) { return text("").body(source, length); }, choices};
    w.send(get("/a"));
    CHECK_FALSE(w.log.lines.empty());
    CHECK(w.failed.empty());
    return w.connection.closed_how == close_mode::reset;
  };
  CHECK(broken([](std::string&) -> bool { throw std::runtime_error{"x"}; }, {}));
  CHECK(broken([](std::string&) { return true; }, {}));
  CHECK(broken(pieces(3), 29));
  CHECK(broken(pieces(3), 31));

  world w{[&](const request&) { return text("").body(pieces(3), 31); }};
  w.send(get("/a"));
  w.go();
  CHECK_THAT(w.failed, Catch::Matchers::Contains("shorter than announced"));
}

TEST_CASE("a stream is written as its pieces come") {
  open_streams open;
  open.first = "first";
  world w{open.how()};
  w.send(get("/a") + get("/b"));
  CHECK(w.got() == chunked + "5\r\nfirst\r\n");
  CHECK(w.connection.paused);
  REQUIRE(open.streams.size() == 1);
  CHECK(open.streams[0].open());
  open.streams[0].write("second");
  open.streams[0].write("");
  CHECK(w.got() == "6\r\nsecond\r\n");
  open.streams[0].finish();
  REQUIRE(open.streams.size() == 2);
  CHECK_FALSE(open.streams[0].open());
  CHECK(w.got() == "0\r\n\r\n" + chunked + "5\r\nfirst\r\n");
  open.streams[0].write("nothing");
  open.streams[0].finish();
  CHECK(w.got().empty());
  open.streams[1].finish();
  CHECK(w.got() == "0\r\n\r\n");
  CHECK_FALSE(w.connection.closed());
  CHECK_FALSE(w.connection.paused);
}

TEST_CASE("the stream of a HEAD request is not open") {
  open_streams open;
  open.first = "first";
  world w{open.how()};
  w.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(w.got() == chunked);
  CHECK_FALSE(open.streams.at(0).open());
  open.streams[0].write("x");
  open.streams[0].finish();
  CHECK(w.got().empty());
}

TEST_CASE("a stream with a length keeps to it") {
  open_streams open;
  open.length = 3;
  world w{open.how()};
  w.send(get("/a"));
  open.streams[0].write("abc");
  open.streams[0].finish();
  CHECK(w.got() == head("Content-Length: 3") + "abc");
  w.send(get("/b"));
  open.streams[1].write("ab");
  CHECK_THROWS_AS(open.streams[1].write("cd"), std::length_error);
  CHECK(w.connection.closed_how == close_mode::reset);
  CHECK_FALSE(open.streams[1].open());

  world short_of{open.how()};
  short_of.send(get("/c"));
  CHECK_THROWS_AS(open.streams[2].finish(), std::length_error);
  CHECK(short_of.connection.closed_how == close_mode::reset);
}

TEST_CASE("a stream that is dropped before its end breaks the connection") {
  open_streams open;
  world w{open.how()};
  w.send(get("/a"));
  open.streams.clear();
  CHECK(w.connection.closed_how == close_mode::reset);
}

TEST_CASE("a stream is told through the loop when there is room") {
  open_streams open;
  options choices;
  choices.max_unsent = 100;
  world w{open.how(), choices};
  w.send(get("/a"));
  auto& stream = open.streams.at(0);
  std::vector<std::error_code> told;
  const auto note = [&](std::error_code why) { told.push_back(why); };
  stream.when_room(note);
  CHECK(told.empty());
  w.run();
  REQUIRE(told.size() == 1);
  CHECK_FALSE(told[0]);

  w.connection.room = 0;
  stream.write(std::string(1'000, 'x'));
  CHECK(stream.unsent() > 1'000);
  stream.when_room(note);
  w.run();
  CHECK(told.size() == 1);
  w.take(500);
  CHECK(told.size() == 1);
  w.take(SIZE_MAX);
  REQUIRE(told.size() == 2);
  CHECK_FALSE(told[1]);

  w.connection.room = 0;
  stream.write(std::string(1'000, 'x'));
  stream.when_room(note);
  w.go();
  REQUIRE(told.size() == 3);
  CHECK(told[2] == std::errc::connection_reset);
  stream.when_room(note);
  CHECK(told.size() == 3);
  w.run();
  REQUIRE(told.size() == 4);
  CHECK(told[3] == std::errc::connection_reset);
}

TEST_CASE("async_write completes with its piece on the way, and can be cancelled") {
  open_streams open;
  options choices;
  choices.max_unsent = 100;
  world w{open.how(), choices};
  w.send(get("/a"));
  auto& stream = open.streams.at(0);
  std::vector<std::error_code> told;
  w.connection.room = 0;
  asio::cancellation_signal cancel;
  stream.async_write(std::string(1'000, 'x'),
                     asio::bind_cancellation_slot(
                         cancel.slot(), [&](std::error_code why) { told.push_back(why); }));
  w.run();
  CHECK(told.empty());
  cancel.emit(asio::cancellation_type::terminal);
  w.run();
  REQUIRE(told.size() == 1);
  CHECK(told[0] == std::errc::operation_canceled);
  w.take(SIZE_MAX);
  stream.async_write("y", [&](std::error_code why) { told.push_back(why); });
  w.run();
  REQUIRE(told.size() == 2);
  CHECK_FALSE(told[1]);
  stream.finish();
  CHECK(w.got().ends_with("1\r\ny\r\n0\r\n\r\n"));
}

TEST_CASE("an exception while a stream is written breaks the connection") {
  std::optional<body_stream> stream;
  world w{handler{nullptr, [&](request, responder answer) {
                    stream = answer.stream(text("x"));
                    throw std::runtime_error{"midway"};
                  }}};
  w.send(get("/a"));
  CHECK(w.connection.closed_how == close_mode::reset);
  w.go();
  CHECK(w.failed == "an HTTP handler threw: midway");
}
