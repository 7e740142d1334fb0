// Requests answered at once: keep-alive, pipelining, HEAD, Expect, refusals, large requests,
// exceptions.
#include "session_world.hpp"

using namespace coppice;
using namespace coppice::http;
using namespace coppice::http::testing;

TEST_CASE("a request is answered whole by one reply, and the connection goes on") {
  world w{echo_path};
  w.send(get("/a"));
  CHECK(w.got() == plain("200 OK", "/a"));
  w.send(get("/b"));
  CHECK(w.got() == plain("200 OK", "/b"));
  CHECK(w.connection.replies == 2);
  CHECK(w.connection.streams == 0);
  CHECK_FALSE(w.connection.closed());
  CHECK(w.connection.received.empty());
}

TEST_CASE("pipelined requests are answered in their order, whatever comes in one piece") {
  const std::string requests =
      get("/a") + "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy" + get("/c");
  const std::string answers = plain("200 OK", "/a") + plain("200 OK", "/b") + plain("200 OK", "/c");
  for (std::size_t step = 1; step <= requests.size(); ++step) {
    world w{echo_path};
    for (std::size_t at = 0; at < requests.size(); at += step) w.send(requests.substr(at, step));
    CHECK(w.got() == answers);
  }
}

TEST_CASE("the connection ends where the client or HTTP/1.0 says so") {
  world asked{echo_path};
  asked.send(get("/a", "Connection: close\r\n") + get("/b"));
  CHECK(asked.got() == plain("200 OK", "/a", closing));
  CHECK(asked.connection.closed_how == close_mode::linger);

  world promised{echo_path}; // and sends nothing after it: nobody need be heard out
  promised.send(get("/a", "Connection: close\r\n"));
  CHECK(promised.got() == plain("200 OK", "/a", closing));
  CHECK(promised.connection.closed_how == close_mode::at_once);

  world old{echo_path};
  old.send("GET /a HTTP/1.0\r\n\r\n");
  CHECK(old.got() == plain("200 OK", "/a", closing));
  CHECK(old.connection.closed());

  world old_kept{echo_path};
  old_kept.send("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
  CHECK(old_kept.got() == plain("200 OK", "/a", "Connection: keep-alive\r\n"));
  CHECK_FALSE(old_kept.connection.closed());

  world handler_closes{[](const request&) { return text("x").close(); }};
  handler_closes.send(get("/a"));
  CHECK(handler_closes.got() == plain("200 OK", "x", closing));
  CHECK(handler_closes.connection.closed());
}

TEST_CASE("a client that ends its side after its requests gets its answers, the last with close") {
  world w{echo_path};
  w.connection.ended = true;
  w.send(get("/a") + get("/b"));
  CHECK(w.got() == plain("200 OK", "/a") + plain("200 OK", "/b", closing));
  CHECK(w.connection.closed_how == close_mode::at_once);

  world later{echo_path};
  later.send(get("/a"));
  CHECK(later.got() == plain("200 OK", "/a"));
  later.end_input();
  CHECK(later.got().empty());
  CHECK(later.connection.closed_how == close_mode::at_once);
}

TEST_CASE("a request that ends early is answered 400") {
  for (const char* part : {"G", "GET / HTTP/1.1\r\nHost: a\r\n",
                           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc"}) {
    world w{echo_path};
    w.send(part);
    w.end_input();
    CHECK(w.got() ==
          plain("400 Bad Request", "400 Bad Request: the request ends early\n", closing));
    CHECK(w.connection.closed());
  }
}

TEST_CASE("HEAD is answered with the fields of GET alone") {
  world w{echo_path};
  w.send("HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n" + get("/b"));
  const std::string whole = plain("200 OK", "/abc");
  CHECK(w.got() == whole.substr(0, whole.size() - 4) + plain("200 OK", "/b"));
}

TEST_CASE("a malformed request is refused in words, and the rest of the input is not looked at") {
  world w{echo_path};
  w.send(get("/a") + "GET / HTTP/1.1\r\nHost : a\r\n\r\n" + get("/b"));
  CHECK(w.got() == plain("200 OK", "/a") +
                       plain("400 Bad Request",
                             "400 Bad Request: the name of a field is not a token\n", closing));
  CHECK(w.connection.closed_how == close_mode::linger);
  CHECK(w.connection.received.empty());
}

TEST_CASE("a client that waits to send its content is told to go on, once") {
  world w{[](const request& r) { return text(std::string{r.body()}); }};
  w.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  CHECK(w.got() == "HTTP/1.1 100 Continue\r\n\r\n");
  w.send("ab");
  CHECK(w.got().empty());
  w.send("cd");
  CHECK(w.got() == plain("200 OK", "abcd"));
  w.send(
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(w.got() == "HTTP/1.1 100 Continue\r\n\r\n");
  w.send("1\r\nx\r\n0\r\n\r\n");
  CHECK(w.got() == plain("200 OK", "x"));
}

TEST_CASE("a client that waits is not told to go on with what is refused, or has come already") {
  options choices;
  choices.max_body = 3;
  world large{echo_path, choices};
  large.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  CHECK(large.got().starts_with("HTTP/1.1 413 "));
  world there{echo_path};
  there.send(
      "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd");
  CHECK(there.got() == plain("200 OK", "/a"));
}

TEST_CASE(
    "a large request is taken out of the input as it comes, and the exchange is marked streaming") {
  const std::string body(300'000, 'x');
  const std::string size = std::to_string(body.size());
  const auto count = [](const request& r) { return text(std::to_string(r.body().size())); };
  for (const std::string& head :
       {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " + size +
            "\r\n\r\n",
        std::string{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n"}}) {
    world w{count};
    w.send(head);
    std::size_t most = 0;
    for (std::size_t at = 0; at < body.size(); at += 10'000) {
      w.send(body.substr(at, 10'000));
      most = std::max(most, w.connection.received.size());
    }
    if (head.find("chunked") != head.npos) w.send("\r\n0\r\n\r\n");
    CHECK(most <= 2 * limits::http_in_place);
    CHECK(w.connection.streams == 1);
    CHECK_FALSE(w.connection.streaming);
    CHECK(w.got().ends_with(plain("200 OK", "300000")));
    w.send(get("/next"));
    CHECK(w.got() == plain("200 OK", "0"));
    CHECK(w.connection.replies == 1);
  }
}

TEST_CASE("a large head is read, too, and what follows it is the next request") {
  world w{echo_path};
  std::string fields;
  for (int i = 0; i < 8; ++i) fields += "A: " + std::string(7'000, 'b') + "\r\n";
  const std::string bytes = get("/large", fields) + get("/next");
  for (std::size_t at = 0; at < bytes.size(); at += 1'000) w.send(bytes.substr(at, 1'000));
  CHECK(w.got() == plain("200 OK", "/large") + plain("200 OK", "/next"));
  CHECK(w.connection.streams == 1);
}

TEST_CASE(
    "an exception of the handler is answered 500, and ends the worker once the client has it") {
  world w{[](const request&) -> response { throw std::runtime_error{"no such table"}; }};
  w.connection.room = 10;
  w.send(get("/a"));
  CHECK(w.failed.empty());
  w.take(SIZE_MAX);
  CHECK(w.got() == plain("500 Internal Server Error", "500 Internal Server Error\n", closing));
  CHECK(w.failed == "an HTTP handler threw: no such table");
  CHECK(w.connection.closed());
  CHECK_THAT(w.log.lines, Catch::Matchers::Contains("no such table"));
}

TEST_CASE("an exception ends the worker even if the client never takes its 500, or goes") {
  const auto thrower = [](const request&) -> response { throw 1; };
  world slow{thrower};
  slow.connection.room = 0;
  slow.send(get("/a"));
  slow.time_out();
  CHECK(slow.failed == "an HTTP handler threw: not a std::exception");
  world gone{thrower};
  gone.connection.room = 0;
  gone.send(get("/a"));
  gone.go();
  CHECK_FALSE(gone.failed.empty());
}

TEST_CASE("an exception ends nothing where the options say so") {
  options choices;
  choices.fail_on_exception = false;
  world w{[](const request& r) -> response {
            if (r.path() == "/throw") throw std::runtime_error{"x"};
            return text("ok");
          },
          choices};
  w.send(get("/throw") + get("/a"));
  CHECK(w.got() ==
        plain("500 Internal Server Error", "500 Internal Server Error\n") + plain("200 OK", "ok"));
  CHECK(w.failed.empty());
}

TEST_CASE("a request may be run again if its method is idempotent, or the options say so") {
  world w{echo_path};
  w.send(get("/a"));
  CHECK(w.connection.may_replay);
  w.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  CHECK_FALSE(w.connection.may_replay);
  options choices;
  choices.replayable = [](const request& r) { return r.path() == "/safe"; };
  world chosen{echo_path, choices};
  chosen.send(get("/a"));
  CHECK_FALSE(chosen.connection.may_replay);
  chosen.send("POST /safe HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  CHECK(chosen.connection.may_replay);
}

TEST_CASE("the handler is told which attempt it is") {
  world w{[](const request& r) { return text(std::to_string(r.attempt())); }};
  w.connection.attempts = 3;
  w.send(get("/a"));
  CHECK(w.got() == plain("200 OK", "3"));
}

TEST_CASE("a client that takes no answers gets no further requests handled, until it does") {
  options choices;
  choices.max_unsent = 300;
  int handled = 0;
  world w{[&](const request&) { return ++handled, text("x"); }, choices};
  w.connection.room = 0;
  std::string many;
  for (int i = 0; i < 100; ++i) many += get("/");
  w.send(many);
  CHECK(handled < 10);
  CHECK(w.connection.paused);
  for (int i = 0; i < 100; ++i) w.take(1'000);
  CHECK(handled == 100);
  CHECK_FALSE(w.connection.paused);
  CHECK_FALSE(w.connection.closed());
}

TEST_CASE("a session whose connection broke handles nothing more") {
  int handled = 0;
  world w{[&](const request&) {
    ++handled;
    w.connection.gone = true;
    return text("x");
  }};
  w.send(get("/a") + get("/b"));
  CHECK(handled == 1);
}
