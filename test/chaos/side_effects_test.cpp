// How often handlers run. Without deaths exactly once for each request; with deaths at least once
// for each answer, at most as often as the last attempt says, never twice if the request must not
// be, and never again once a response was handed over.
#include "chaos/storm.hpp"
#include "support/catch.hpp"

using namespace coppice::test;

namespace {

/// One request after the other over one connection, as long as it is of use.
void ask_on(storm& s, std::string_view method, std::size_t bytes, std::string_view query,
            std::string_view content = {}) {
  stream_client c{s.port()};
  if (!c.connected()) return s.fail("it does not connect");
  while (!s.over()) {
    const auto request = s.ask(method, bytes, query, content);
    if (const auto how = c.send(request.text); how != ending_of_call::done)
      return s.cannot("send", how);
    if (!s.judge(request, c.receive())) return;
  }
}

/// The same, some at a time.
void pipeline_on(storm& s, std::size_t bytes, std::string_view query, int depth = 8) {
  stream_client c{s.port()};
  if (!c.connected()) return s.fail("it does not connect");
  while (!s.over()) {
    std::vector<asked> requests;
    std::string all;
    for (int i = 0; i < depth; ++i) {
      requests.push_back(s.ask("GET", bytes, query));
      all += requests.back().text;
    }
    if (const auto how = c.send(all); how != ending_of_call::done) return s.cannot("send", how);
    for (const auto& request : requests)
      if (!s.judge(request, c.receive())) return;
  }
}

} // namespace

TEST_CASE("without deaths each request is run exactly once") {
  storm s{{.name = "no deaths", .signal = 0}};
  s.run([&](unsigned who) {
    if (who % 4 == 0) return pipeline_on(s, 100, "");
    ask_on(s, who % 4 == 1 ? "GET" : "POST", 100, who % 4 == 2 ? "&ms=1" : "", "");
  });
}

TEST_CASE("requests that may be run again are, and no answer that was handed over is made anew") {
  for (const int signal : {SIGKILL, SIGSEGV}) {
    storm s{{.name = signal == SIGKILL ? "gets, SIGKILL" : "gets, SIGSEGV",
             .clients = 32,
             .signal = signal,
             .may_refuse = signal == SIGSEGV}}; // the second crash over one request: 500
    s.run([&](unsigned who) {
      if (who % 4 == 0) return pipeline_on(s, 1000, "&us=100");
      ask_on(s, "GET", 1000, who % 4 == 1 ? "&ms=10" : "&us=100");
    });
  }
}

TEST_CASE("requests that must not be run twice are not") {
  for (const int signal : {SIGKILL, SIGSEGV}) {
    storm s{{.name = signal == SIGKILL ? "posts, SIGKILL" : "posts, SIGSEGV",
             .clients = 32,
             .signal = signal,
             .may_refuse = true}};
    s.run([&](unsigned who) {
      ask_on(s, "POST", 1000, who % 4 == 0 ? "&ms=10" : "&us=100", "some content");
    });
  }
}

TEST_CASE("a request that takes longer than its workers live is run again and again") {
  storm s{{.name = "longer than workers live", .workers = 2, .clients = 4, .kill_to_ms = 40}};
  s.run([&](unsigned) { ask_on(s, "GET", 10, "&ms=60"); });
}

TEST_CASE("answers that wait for slow clients are not made anew, nor is what they follow") {
  storm s{{.name = "stage full",
           .clients = 8,
           .send_buffer = 4608,
           .may_refuse = true,
           .may_reset = true}};
  s.run([&](unsigned) {
    // More answers than the stage holds, before the first of them is read.
    stream_client c{s.port(), {.receive_buffer = 4608, .drip = 2048}};
    if (!c.connected()) return s.fail("it does not connect");
    std::vector<asked> requests;
    std::string all;
    for (const auto* method : {"GET", "POST", "GET", "POST", "GET", "GET"}) {
      requests.push_back(s.ask(method, 40'000));
      all += requests.back().text;
    }
    if (const auto how = c.send(all); how != ending_of_call::done) return s.cannot("send", how);
    for (const auto& request : requests)
      if (!s.judge(request, c.receive())) return;
  });
}

TEST_CASE("pipelines that are longer than the journal") {
  storm s{{.name = "deep pipelines", .clients = 8}};
  s.run([&](unsigned who) { pipeline_on(s, 100, who % 2 == 0 ? "" : "&ms=0", 500); });
}

TEST_CASE("workers that are asked to end give their connections to others, killed or not") {
  storm s{{.name = "drained and killed", .clients = 32, .signal = SIGTERM}};
  s.run([&](unsigned who) {
    if (who % 4 == 0) return pipeline_on(s, 1000, "&us=100");
    ask_on(s, "GET", 1000, who % 4 == 1 ? "&ms=10" : "&us=100");
  });
}

TEST_CASE("under protection::connection nothing is run twice, whatever its method") {
  storm s{{.name = "protection::connection",
           .clients = 32,
           .may_refuse = true,
           .protection = "connection"}};
  s.run([&](unsigned who) {
    stream_client c{s.port()};
    if (!c.connected()) return s.fail("it does not connect");
    while (!s.over()) {
      auto request = s.ask("GET", 1000, who % 4 == 0 ? "&ms=10" : "&us=100");
      request.once = true;
      if (const auto how = c.send(request.text); how != ending_of_call::done)
        return s.cannot("send", how);
      if (!s.judge(request, c.receive())) return;
    }
  });
}

TEST_CASE("workers that are executed anew, not forked, go on with connections as well") {
  storm s{
      {.name = "executed", .workers = 2, .kill_from_ms = 100, .kill_to_ms = 300, .spawn = "exec"}};
  s.run([&](unsigned who) { ask_on(s, "GET", 1000, who % 2 == 0 ? "&ms=10" : "&us=100"); });
}

TEST_CASE("a request that its workers die of is given up, and nobody else notices") {
  // Behind an asynchronous handler nobody knows whose the crash was: it takes more of them.
  for (const bool later : {false, true}) {
    storm s{{.name = later ? "poison, asynchronous" : "poison",
             .clients = 16,
             .signal = 0,
             .may_refuse = true}};
    s.run([&](unsigned who) {
      if (who > 0) return ask_on(s, "PUT", 100, who % 2 == 0 ? "&ms=5" : "&us=50", "");
      const auto poison = s.ask("GET", 0, later ? "&abort=1&ms=1" : "&abort=1");
      stream_client c{s.port()};
      if (const auto how = c.send(poison.text); how != ending_of_call::done)
        return s.fail("a poisonous request is not taken");
      const auto got = c.receive();
      if (got.status != (later ? 503 : 500))
        s.fail("it was answered " + std::to_string(got.status));
      if (const auto runs = s.runs_of(poison).runs.load(); runs != (later ? 8u : 2u))
        s.fail("it was run " + std::to_string(runs) + " times");
    });
  }
}
