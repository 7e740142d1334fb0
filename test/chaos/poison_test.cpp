// A request that crashes whoever serves it takes down two workers and no more, is answered 500, and
// nobody else notices.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <thread>

using namespace coppice;

namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

} // namespace

TEST_CASE("a poison request takes down two workers, and the other clients see nothing") {
  test::program p{{MISBEHAVE, "crashes", "4"}};
  p.wait_ready();
  std::atomic<bool> done = false;
  std::atomic<unsigned> asked = 0, failed = 0;
  std::vector<std::thread> others;
  for (int i = 0; i < 8; ++i)
    others.emplace_back([&] {
      test::http_client c{p.port()};
      while (!done) {
        const auto got = c.get("/");
        ++asked;
        if (!got || got->status != 200) {
          ++failed;
          return;
        }
      }
    });
  {
    test::http_client poison{p.port()};
    REQUIRE(poison.send("GET /crash?a=1 HTTP/1.1\r\nHost: x\r\nCookie: id=secret\r\n"
                        "Authorization: Basic c2VjcmV0\r\nX-Trace: 7\r\n\r\n"));
    const auto got = poison.receive();
    REQUIRE(got);
    CHECK(got->status == 500);
    CHECK(poison.receive_all() == ""); // closed behind it
  }
  const auto before = asked.load();
  CHECK(test::eventually([&] { return asked > before + 100 || failed > 0; }));
  done = true;
  for (auto& other : others) other.join();
  CHECK(failed == 0);

  REQUIRE(p.wait_output("refused from now on: GET /crash?a=1 HTTP/1.1; see "));
  const std::filesystem::path report = p.state_dir() + "/crashes/web-1.txt";
  CHECK(p.output().find("see " + report.string()) != std::string::npos);
  const auto text = content(report);
  INFO(text);
  CHECK(count(text, "\nweb/") == 2);
  CHECK(
      text.find("GET /crash?a=1 HTTP/1.1\nHost: x\nCookie: (10 bytes)\nAuthorization: (15 bytes)\n"
                "X-Trace: 7\n") != std::string::npos);
  CHECK(text.find("secret") == std::string::npos);
  CHECK(text.find("c2VjcmV0") == std::string::npos);
  struct stat about {};
  REQUIRE(::stat(report.c_str(), &about) == 0);
  CHECK((about.st_mode & 07777) == 0600);

  // Two workers, and no third one.
  CHECK(count(p.output(), "restarted because of") == 2);
  p.signal(SIGTERM);
  CHECK(p.wait_exit().text() == "exit code 0");
}
