// Messages between the processes of a real service.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"

#include <csignal>
#include <map>
#include <set>
#include <string>

using namespace coppice;
using test::program;

namespace {

std::vector<std::string> postal(int workers) {
  return {POSTAL,  "--listen", "tcp://127.0.0.1:0", "--workers", std::to_string(workers),
          "--log", "warn"};
}

std::string body_of(const program& p, const std::string& target) {
  const auto got = test::get(p.port(), target);
  return got && got->status == 200 ? got->body : "no answer";
}

/// Asked of whichever worker it is.
std::string ask(const program& p, const std::string& to, const std::string& type,
                const std::string& more = "") {
  return body_of(p, "/ask?to=" + to + "&type=" + type + more);
}

/// A connection to the worker of this name: all requests on it are answered there.
test::http_client connect_to(const program& p, const std::string& name) {
  for (;;) {
    test::http_client c{p.port()};
    const auto who = c.get("/who");
    REQUIRE(who);
    if (who->body == name) return c;
  }
}

} // namespace

TEST_CASE("a message reaches each kind of address, and an ask is answered from there") {
  program p{postal(3)};
  p.wait_ready();
  CHECK(ask(p, "clerk", "who") == "ok clerk");
  CHECK(ask(p, "1", "who") == "ok clerk");
  CHECK(ask(p, "2", "who") == "ok web/1");
  CHECK(ask(p, "web/3", "who") == "ok web/3");
  CHECK(ask(p, "0", "who") == "ok primary");
  CHECK(ask(p, "primary", "who") == "ok primary");
  CHECK(ask(p, "primary", "ask%20clerk") == "ok clerk");
  CHECK(ask(p, "clerk", "slow", "&value=later") == "ok later");
  std::set<std::string> in_turn;
  for (int i = 0; i < 3; ++i) in_turn.insert(ask(p, "web", "who"));
  CHECK(in_turn == std::set<std::string>{"ok web/1", "ok web/2", "ok web/3"});
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}

TEST_CASE("an ask that is not answered says why") {
  program p{postal(2)};
  p.wait_ready();
  CHECK(ask(p, "nobody", "who") == "error no_such_address");
  CHECK(ask(p, "web/7", "who") == "error no_such_address");
  CHECK(ask(p, "99", "who") == "error no_such_address");
  CHECK(ask(p, "clerk", "unheard") == "error no_handler");
  CHECK(ask(p, "clerk", "never", "&ms=20") == "error timeout");
  CHECK(ask(p, "clerk", "die") == "error worker_died");
  CHECK(ask(p, "clerk", "who") == "ok clerk"); // it waits for the next process
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}

TEST_CASE("a handler that throws answers its ask with an error, and its worker is replaced") {
  program p{postal(1)};
  p.wait_ready();
  CHECK(ask(p, "clerk", "throw") == "error no_handler");
  CHECK(p.wait_output("thrown on demand"));
  CHECK(test::eventually([&] { return ask(p, "clerk", "who", "&ms=1000") == "ok clerk"; }));
}

TEST_CASE("all of a group, everyone else, and subscribers get a message once each") {
  program p{postal(3)};
  p.wait_ready();
  auto first = connect_to(p, "web/1");
  auto second = connect_to(p, "web/2");
  auto third = connect_to(p, "web/3");
  REQUIRE(second.get("/subscribe?topic=prices")->body == "sent");
  REQUIRE(first.get("/send?to=web/*&type=note&value=all")->body == "sent");
  REQUIRE(first.get("/send?to=*&type=note&value=others")->body == "sent");
  REQUIRE(first.get("/ask?to=web/2&type=who")->body == "ok web/2"); // behind its own subscription
  REQUIRE(second.get("/ask?to=web/1&type=who")->body == "ok web/1");
  REQUIRE(second.get("/send?to=topic:prices&type=note&value=tea")->body == "sent");
  CHECK(test::eventually([&] { return second.get("/notes")->body == "all others tea"; }));
  CHECK(test::eventually([&] { return third.get("/notes")->body == "all others"; }));
  CHECK(test::eventually([&] { return first.get("/notes")->body == "all"; }));
}

TEST_CASE("messages for a worker that is dead reach its replacement, in order") {
  program p{postal(2)};
  p.wait_ready();
  auto first = connect_to(p, "web/1");
  pid_t victim = 0;
  for (const pid_t worker : p.workers())
    if (test::title(worker) == "coppice: web/2") victim = worker;
  REQUIRE(victim != 0);
  // Stopped first: what is sent meanwhile is unread when it dies, and may be lost with it.
  REQUIRE(::kill(victim, SIGKILL) == 0);
  REQUIRE(test::eventually([&] { return test::process_state(victim) == 0; }));
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    const auto number = std::to_string(i);
    REQUIRE(first.get("/send?to=web/2&type=note&value=" + number)->body == "sent");
    expected += (i == 0 ? "" : " ") + number;
  }
  auto second = connect_to(p, "web/2");
  CHECK(test::eventually([&] { return second.get("/notes")->body == expected; }));
}

TEST_CASE("a worker that is asked to end handles what it has been sent") {
  program p{postal(2)};
  p.wait_ready();
  auto first = connect_to(p, "web/1");
  std::vector<std::string> answers;
  // The slow handler is at it when the service is told to stop.
  REQUIRE(first.send("GET /ask?to=clerk&type=slow&value=done HTTP/1.1\r\nHost: x\r\n\r\n"));
  REQUIRE(first.send(""));
  CHECK(ask(p, "clerk", "who") == "ok clerk"); // it has the other one by now, or before long
  p.signal(SIGTERM);
  const auto got = first.receive();
  REQUIRE(got);
  CHECK(got->body == "ok done");
  CHECK(p.wait_exit().well());
}

TEST_CASE("a worker that does not read makes its senders stop, and nobody else") {
  program p{postal(3)};
  p.wait_ready();
  auto first = connect_to(p, "web/1");
  pid_t stuck = 0;
  for (const pid_t worker : p.workers())
    if (test::title(worker) == "coppice: web/3") stuck = worker;
  REQUIRE(stuck != 0);
  REQUIRE(::kill(stuck, SIGSTOP) == 0);
  const std::string value(4000, 'v');
  const auto memory = test::resident_kib(p.pid());
  REQUIRE(test::eventually(
      [&] { return first.get("/send?to=web/3&type=note&value=" + value)->body == "not_now"; }));
  CHECK(test::resident_kib(p.pid()) < memory + 32 * 1024);
  CHECK(first.get("/ask?to=web/2&type=who")->body == "ok web/2");
  CHECK(first.get("/ask?to=web/3&type=who")->body == "error overloaded");
  REQUIRE(::kill(stuck, SIGCONT) == 0);
  CHECK(test::eventually(
      [&] { return first.get("/send?to=web/3&type=note&value=more")->body == "sent"; }));
  CHECK(first.get("/ask?to=web/3&type=who")->body == "ok web/3");
}

TEST_CASE("the example shared_cache answers from what its agent has fetched") {
  program p{{SHARED_CACHE, "--listen", "tcp://127.0.0.1:0", "--workers", "2", "--log", "warn"}};
  p.wait_ready();
  const auto knows = [&] { return body_of(p, "/").find("users (fetch ") != std::string::npos; };
  REQUIRE(test::eventually(knows));
  for (const pid_t worker : p.workers()) REQUIRE(::kill(worker, SIGKILL) == 0);
  CHECK(test::eventually(knows)); // the new ones ask the agent
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}
