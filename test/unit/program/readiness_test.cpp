// The pure parts of finding out whether a program is ready.
#include "support/catch.hpp"

#include <coppice/runtime/program/readiness.hpp>

namespace coppice {
namespace {

std::string why_not(const ready_when& when) {
  const auto parsed = parse_target(when);
  return parsed ? "it is fine" : parsed.error().reason;
}

} // namespace

TEST_CASE("a probe knows where to knock") {
  CHECK(parse_target(ready_when::connects("tcp://127.0.0.1:6379")) ==
        probe_target{.host = "127.0.0.1", .port = 6379});
  CHECK(parse_target(ready_when::connects("tcp://localhost:1")) ==
        probe_target{.host = "127.0.0.1", .port = 1});
  CHECK(parse_target(ready_when::connects("tcp://[::1]:80")) ==
        probe_target{.host = "::1", .port = 80});
  CHECK(parse_target(ready_when::connects("unix:/run/x.sock")) ==
        probe_target{.path = "/run/x.sock"});
  CHECK(parse_target(ready_when::answers("http://127.0.0.1:8080/health?x=1")) ==
        probe_target{.host = "127.0.0.1",
                     .port = 8080,
                     .request_target = "/health?x=1",
                     .authority = "127.0.0.1:8080"});
  CHECK(parse_target(ready_when::answers("http://[::1]:8080"))->request_target == "/");
}

TEST_CASE("a probe that cannot knock says why") {
  CHECK(why_not(ready_when::connects("127.0.0.1:1")) == "it must begin with tcp:// or unix:");
  CHECK(why_not(ready_when::connects("unix:x.sock")) ==
        "the path of a unix socket must be absolute");
  CHECK(why_not(ready_when::connects("unix:/" + std::string(200, 'x'))) == "the path is too long");
  CHECK(why_not(ready_when::connects("tcp://127.0.0.1:0")) == "the port must be a real one");
  CHECK(why_not(ready_when::connects("tcp://example.org:80")) ==
        "the host must be an address or localhost");
  CHECK(why_not(ready_when::answers("https://127.0.0.1:1/")) == "it must begin with http://");
  CHECK(why_not(ready_when::answers("http://127.0.0.1/")) ==
        "the port is missing; 0 lets the kernel choose one");
  CHECK(why_not(ready_when::answers("http://127.0.0.1:1/a b")) ==
        "the path has a blank or a control character");
}

TEST_CASE("the request of a probe is whole") {
  CHECK(request_for(*parse_target(ready_when::answers("http://127.0.0.1:8080/health"))) ==
        "GET /health HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: coppice\r\n"
        "Connection: close\r\n\r\n");
}

TEST_CASE("only an answer of 2xx or 3xx is good, and it is judged as soon as it can be") {
  CHECK(answer_is_good("HTTP/1.1 200 OK\r\n") == true);
  CHECK(answer_is_good("HTTP/1.0 302") == true);
  CHECK(answer_is_good("HTTP/1.1 404 no") == false);
  CHECK(answer_is_good("HTTP/1.1 503") == false);
  CHECK(answer_is_good("HTTP/1.1 2x0") == false);
  CHECK(answer_is_good("SSH-2.0-x") == false);
  CHECK(answer_is_good("HTTP/2 200 OK") == false);
  const std::string whole = "HTTP/1.1 200";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    CHECK_FALSE(answer_is_good(whole.substr(0, size)));
  }
}

TEST_CASE("a notification says ready in a line of its own") {
  CHECK(says_ready("READY=1"));
  CHECK(says_ready("READY=1\n"));
  CHECK(says_ready("STATUS=well\nREADY=1\nMAINPID=7"));
  CHECK_FALSE(says_ready(""));
  CHECK_FALSE(says_ready("READY=0"));
  CHECK_FALSE(says_ready("READY=11"));
  CHECK_FALSE(says_ready("NOTREADY=1"));
  CHECK_FALSE(says_ready("STATUS=READY=1"));
  CHECK_FALSE(says_ready("\n\n"));
}

} // namespace coppice
