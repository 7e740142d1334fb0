// The service against the programs that people use on it: curl and wrk.
#include "support/catch.hpp"
#include "support/program.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>

using namespace coppice;

namespace {

bool has(const char* tool) {
  return std::system(("command -v " + std::string{tool} + " >/dev/null 2>&1").c_str()) == 0;
}

/// What `command` prints, up to its end; every command here ends by itself.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer{};
  while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    text.append(buffer.data(), n);
  ::pclose(pipe);
  return text;
}

} // namespace

TEST_CASE("curl gets what it asks for") {
  if (!has("curl")) {
    WARN("curl is not installed: skipped");
    return;
  }
  test::program p{{HTTP_HELLO, "--listen", "tcp://127.0.0.1:0", "--workers", "2"}};
  p.wait_ready();
  const std::string url = "http://127.0.0.1:" + std::to_string(p.port());
  const std::string curl = "curl -sS -m 20 ";
  CHECK(output_of(curl + url + "/n/7").ends_with("7"));
  CHECK(output_of(curl + "-I " + url + "/").find("HTTP/1.1 200 OK") == 0);
  CHECK(output_of(curl + "-d some-words " + url + "/echo") == "some-words");
  // Above curl's threshold for Expect: 100-continue, and chunked.
  const std::string body = "head -c 700000 /dev/zero | tr '\\0' a | ";
  CHECK(output_of(body + curl + "--data-binary @- " + url + "/echo | wc -c").find("700000") == 0);
  CHECK(output_of(body + curl + "-H 'Transfer-Encoding: chunked' --data-binary @- " + url +
                  "/echo | wc -c")
            .find("700000") == 0);
  const std::string large = "head -c 2000000 /dev/zero | ";
  CHECK(output_of(large + curl + "-o /dev/null -w '%{http_code}' --data-binary @- " + url + "/echo")
            .find("413") == 0);
  CHECK(output_of(curl + "-0 " + url + "/n/8") == "8");
  CHECK(output_of(curl + "-o /dev/null -w '%{size_download}' '" + url + "/big?bytes=5000000'") ==
        "5000000");
}

TEST_CASE("wrk sees no error, and no answer but 200") {
  if (!has("wrk")) {
    WARN("wrk is not installed: skipped");
    return;
  }
  test::program p{{HTTP_HELLO, "--listen", "tcp://127.0.0.1:0", "--workers", "2"}};
  p.wait_ready();
  const auto report = output_of(
      "wrk -t1 -c32 -d2s --timeout 10s http://127.0.0.1:" + std::to_string(p.port()) + "/");
  INFO(report);
  CHECK(report.find("Requests/sec") != std::string::npos);
  CHECK(report.find("Socket errors") == std::string::npos);
  CHECK(report.find("Non-2xx") == std::string::npos);
}
