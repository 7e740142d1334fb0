// Handlers that answer later.
#include "session_world.hpp"

using namespace coppice;
using namespace coppice::http;
using namespace coppice::http::testing;
using namespace std::chrono_literals;

namespace {

/// Keeps requests and their responders until the test answers.
struct inbox {
  std::vector<request> requests;
  std::vector<responder> responders;

  handler keep() {
    return {nullptr, [this](request r, responder answer) {
              requests.push_back(std::move(r));
              responders.push_back(std::move(answer));
            }};
  }
};

} // namespace

TEST_CASE("a handler may answer later, and the next request waits until then") {
  inbox box;
  world w{box.keep()};
  w.send(get("/a?b=c", "X: y\r\n") + get("/b"));
  CHECK(w.got().empty());
  REQUIRE(box.requests.size() == 1);
  CHECK(w.connection.paused);
  CHECK_FALSE(w.connection.deadline);
  CHECK(w.connection.received == get("/a?b=c", "X: y\r\n") + get("/b")); // consumed by the reply
  CHECK(box.responders[0].open());

  box.responders[0].send(text("one"));
  CHECK(w.got() == plain("200 OK", "one"));
  CHECK_FALSE(box.responders[0].open());
  REQUIRE(box.requests.size() == 2);
  box.responders[1].send(text("two"));
  CHECK(w.got() == plain("200 OK", "two"));
  CHECK_FALSE(w.connection.paused);
  CHECK(w.connection.deadline == 60s);
}

TEST_CASE("a request that is answered later owns its bytes") {
  inbox box;
  world w{box.keep()};
  w.send("POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz");
  w.connection.received.assign(w.connection.received.size(), '?');
  const request& r = box.requests.at(0);
  CHECK(r.method() == "POST");
  CHECK(r.path() == "/a");
  CHECK(r.query("b") == "c");
  CHECK(r.header("host") == "h");
  CHECK(r.body() == "xyz");
}

TEST_CASE("a handler may answer before it returns") {
  world w{handler{nullptr, [](request r, responder answer) { answer.send(echo_path(r)); }}};
  w.send(get("/a") + get("/b"));
  CHECK(w.got() == plain("200 OK", "/a") + plain("200 OK", "/b"));
  CHECK_FALSE(w.connection.paused);
}

TEST_CASE(
    "a responder that is dropped answers 500, within the handler or later, and ends no worker") {
  const std::string answer = plain("500 Internal Server Error", "500 Internal Server Error\n");
  world at_once{handler{nullptr, [](request, responder) {}}};
  at_once.send(get("/a"));
  CHECK(at_once.got() == answer);
  CHECK(at_once.failed.empty());
  CHECK_THAT(at_once.log.lines, Catch::Matchers::Contains("dropped"));

  inbox box;
  world later{box.keep()};
  later.send(get("/a"));
  box.responders.clear();
  CHECK(later.got() == answer);
  CHECK(later.failed.empty());

  box.requests.clear();
  world replaced{box.keep()};
  replaced.send(get("/a"));
  responder other{nullptr};
  box.responders[0] = std::move(other);
  CHECK(replaced.got() == answer);
}

TEST_CASE("a responder may outlive its connection") {
  inbox box;
  world w{box.keep()};
  w.send(get("/a"));
  w.go();
  CHECK_FALSE(box.responders[0].open());
  box.responders[0].replayable(true);
  box.responders[0].send(text("too late"));
  CHECK(w.got().empty());

  world other{box.keep()};
  other.send(get("/b"));
  other.go();
  box.responders[1].fail(std::make_exception_ptr(std::runtime_error{"x"}));
  auto stream = responder{nullptr}.stream(text("x"));
  stream.write("y");
  stream.finish();
  CHECK(other.failed.empty());
}

TEST_CASE("an exception before the answer is answered 500") {
  world w{handler{nullptr, [](request, responder) { throw std::runtime_error{"early"}; }}};
  w.send(get("/a"));
  CHECK(w.got() == plain("500 Internal Server Error", "500 Internal Server Error\n", closing));
  CHECK(w.failed == "an HTTP handler threw: early");

  inbox box;
  world later{box.keep()};
  later.send(get("/a"));
  box.responders[0].fail(std::make_exception_ptr(std::runtime_error{"late"}));
  later.run();
  CHECK(later.got() == plain("500 Internal Server Error", "500 Internal Server Error\n", closing));
  CHECK(later.failed == "an HTTP handler threw: late");
}

TEST_CASE("an exception after the answer leaves the answer alone, and ends the worker") {
  world w{handler{nullptr, [](request, responder answer) {
                    answer.send(text("done"));
                    throw std::runtime_error{"after"};
                  }}};
  w.send(get("/a"));
  CHECK(w.got() == plain("200 OK", "done"));
  CHECK(w.failed == "an HTTP handler threw: after");
}

TEST_CASE("a request in progress is answered with close when the worker drains") {
  inbox box;
  world w{box.keep()};
  w.send(get("/a"));
  w.drain();
  CHECK_FALSE(w.connection.closed());
  box.responders[0].send(text("x"));
  CHECK(w.got() == plain("200 OK", "x", closing));
  CHECK(w.connection.closed());
}

TEST_CASE("a client that ended its side while the handler works gets its answer") {
  inbox box;
  world w{box.keep()};
  w.send(get("/a"));
  w.end_input();
  CHECK_FALSE(w.connection.closed());
  box.responders[0].send(text("x"));
  CHECK(w.got() == plain("200 OK", "x"));
  CHECK(w.connection.closed_how == close_mode::at_once);
}

TEST_CASE("a handler may say that its request can be run again") {
  inbox box;
  world w{box.keep()};
  w.send(get("/a"));
  CHECK(w.connection.may_replay);
  box.responders[0].replayable(false);
  CHECK_FALSE(w.connection.may_replay);
  box.responders[0].send(text("x"));
}

TEST_CASE("what a quick handler leaves unanswered goes to the slow one, in order") {
  inbox box;
  world w{handler{[](const request& r) -> std::optional<response> {
                    if (r.path() == "/slow") return std::nullopt;
                    return echo_path(r);
                  },
                  box.keep().async}};
  w.send(get("/a") + get("/slow") + get("/b"));
  CHECK(w.got() == plain("200 OK", "/a"));
  REQUIRE(box.requests.size() == 1);
  CHECK(box.requests[0].path() == "/slow");
  box.responders[0].send(text("slow"));
  CHECK(w.got() == plain("200 OK", "slow") + plain("200 OK", "/b"));
  CHECK(box.requests.size() == 1);
}
