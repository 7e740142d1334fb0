// Deadlines and the drain.
#include "session_world.hpp"

using namespace coppice;
using namespace coppice::http;
using namespace coppice::http::testing;
using namespace std::chrono_literals;

TEST_CASE("an idle connection has the idle timeout, before its first request and between them") {
  world w{echo_path};
  CHECK(w.connection.deadline == 60s);
  w.connection.deadline.reset();
  w.send(get("/a"));
  CHECK(w.connection.deadline == 60s);
  w.got();
  w.time_out();
  CHECK(w.got().empty());
  CHECK(w.connection.closed_how == close_mode::linger);
}

TEST_CASE("a head has its time from its first byte, however its bytes trickle") {
  world w{echo_path};
  w.send("G");
  CHECK(w.connection.deadline == 10s);
  w.connection.deadline = 4s; // some of it has passed
  w.send("E");
  CHECK(w.connection.deadline == 4s);
  w.time_out();
  CHECK(w.got() == plain("408 Request Timeout",
                         "408 Request Timeout: the head did not come in time\n", closing));
  CHECK(w.connection.closed());
}

TEST_CASE("empty lines between requests do not start a head") {
  world w{echo_path};
  w.send(get("/a") + "\r\n");
  CHECK(w.connection.deadline == 60s);
  w.got();
  w.time_out();
  CHECK(w.got().empty());
}

TEST_CASE("content has its time for each 64 KiB") {
  world w{echo_path};
  w.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
  CHECK(w.connection.deadline == 30s);
  w.connection.deadline = 4s;
  w.send(std::string(60'000, 'x'));
  CHECK(w.connection.deadline == 4s);
  w.send(std::string(6'000, 'x'));
  CHECK(w.connection.deadline == 30s);
  w.time_out();
  CHECK(w.got() == plain("408 Request Timeout",
                         "408 Request Timeout: the content did not come in time\n", closing));
  CHECK(w.connection.closed());
}

TEST_CASE(
    "a client that takes nothing of an answer for its time is reset, one that takes some is not") {
  world w{[](const request&) { return text(std::string(1'000'000, 'x')); }};
  w.connection.room = 100'000;
  w.send(get("/a"));
  CHECK(w.connection.deadline == 60s);
  w.time_out();
  CHECK_FALSE(w.connection.closed());
  w.take(1);
  w.time_out();
  CHECK_FALSE(w.connection.closed());
  w.time_out();
  CHECK(w.connection.closed_how == close_mode::reset);
}

TEST_CASE("a drain closes an idle connection") {
  world w{echo_path};
  w.drain();
  CHECK(w.connection.closed_how == close_mode::linger);
  world used{echo_path};
  used.send(get("/a"));
  used.got();
  used.drain();
  CHECK(used.got().empty());
  CHECK(used.connection.closed());
}

TEST_CASE("a drain lets a request that has begun come to its end, and be answered with close") {
  for (const char* part :
       {"GET /a HTTP", "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"}) {
    const std::string whole = "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy";
    world w{echo_path};
    w.send(part);
    w.drain();
    CHECK_FALSE(w.connection.closed());
    w.send(whole.substr(std::string_view{part}.size()));
    CHECK(w.got() == plain("200 OK", "/a", closing));
    CHECK(w.connection.closed());
  }
}

TEST_CASE("a drain lets a stream come to its end") {
  world w{[](const request&) { return text(std::string(500'000, 'x')); }};
  w.connection.room = 0;
  w.send(get("/a"));
  w.drain();
  CHECK_FALSE(w.connection.closed());
  for (int i = 0; i < 20; ++i) w.take(SIZE_MAX);
  CHECK(w.got().ends_with("\r\n\r\n" + std::string(500'000, 'x')));
  CHECK(w.connection.closed());
}
