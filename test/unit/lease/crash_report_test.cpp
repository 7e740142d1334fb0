#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <coppice/runtime/lease/crash_report.hpp>
#include <coppice/runtime/lease/crash_report_store.hpp>
#include <coppice/runtime/limits.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

using namespace coppice;

namespace {

std::size_t files_in(const test::temporary_directory& here) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator{here.path()}, {}));
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

TEST_CASE("a request's head is kept without what is secret in it") {
  CHECK(printable_head(
            "GET /a HTTP/1.1\r\nHost: x\r\nCOOKIE: a=b\r\nproxy-authorization: y\r\n\r\n") ==
        "GET /a HTTP/1.1\nHost: x\nCOOKIE: (4 bytes)\nproxy-authorization: (2 bytes)\n");
  // A value that goes on in the next line is no less secret there.
  CHECK(printable_head("GET / HTTP/1.1\r\nCookie: a\r\n secret\r\nHost: x\r\n\r\n") ==
        "GET / HTTP/1.1\nCookie: (2 bytes)\nHost: x\n");
  CHECK(printable_head("GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n") == "GET / HTTP/1.1\nX: a\n b\n");
}

TEST_CASE("a body is counted, and a head that is not whole is said to go on") {
  CHECK(printable_head("PUT /a HTTP/1.1\r\nHost: x\r\n\r\nsecret") ==
        "PUT /a HTTP/1.1\nHost: x\n(6 bytes follow)\n");
  CHECK(printable_head("PUT /a HTTP/1.1\r\nCookie: se") ==
        "PUT /a HTTP/1.1\nCookie: (3 bytes)\n(the head goes on)\n");
  CHECK(printable_head("PUT /a HTTP/1.1\r\nCoo") == "PUT /a HTTP/1.1\nCoo\n(the head goes on)\n");
}

TEST_CASE("what is not printable stands as a number, what is no HTTP is only counted") {
  CHECK(printable_head("GET /\x1b[2J HTTP/1.1\r\nX: \xff\r\n") ==
        "GET /\\x1b[2J HTTP/1.1\nX: \\xff\n(the head goes on)\n");
  for (const std::string_view bytes : {"", "secret", "GET", "GET / HTTX/1.1\r\n\r\n",
                                       " / HTTP/1.1\r\n\r\n", "G\x01T / HTTP/1.1\r\n"})
    CHECK(printable_head(bytes) ==
          "(" + std::to_string(bytes.size()) + " bytes that are not an HTTP request)\n");
}

TEST_CASE("the first line is for the log, and not too long") {
  CHECK(first_line("GET /a HTTP/1.1\r\nCookie: x\r\n\r\n") == "GET /a HTTP/1.1");
  CHECK(first_line("secret") == "6 bytes");
  const std::string path(10'000, 'a');
  CHECK(first_line("GET /" + path + " HTTP/1.1\r\n\r\n") ==
        ("GET /" + path).substr(0, limits::crash_report_line) + "...");
}

TEST_CASE("a report says when, who and what") {
  const crash_report report{.pool = "web",
                            .when = std::chrono::system_clock::time_point{std::chrono::seconds{0}},
                            .deaths = {"web/1 (pid 7): SIGSEGV", "web/2 (pid 8): SIGABRT"},
                            .request = "GET / HTTP/1.1\r\n\r\n"};
  CHECK(to_text(report) ==
        "A request that workers of pool web crashed over is refused from 1970-01-01T00:00:00Z on.\n"
        "\nweb/1 (pid 7): SIGSEGV\nweb/2 (pid 8): SIGABRT\n\nGET / HTTP/1.1\n");
}

TEST_CASE("reports are numbered on, and the oldest make room") {
  const test::temporary_directory here;
  const auto path = here.file("crashes");
  {
    crash_report_store store{path};
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(store.write({.pool = "web", .when = {}, .request = "x"}).value() == path + "/web-1.txt");
    CHECK(store.write({.pool = "api-2"}).value() == path + "/api-2-2.txt");
  }
  std::ofstream{path + "/notes.txt"} << "mine";
  crash_report_store store{path}; // of a later primary
  for (std::size_t i = 3; i <= limits::crash_reports_kept + 2; ++i)
    CHECK(store.write({.pool = "web"}).value() == path + "/web-" + std::to_string(i) + ".txt");
  CHECK_FALSE(std::filesystem::exists(path + "/web-1.txt"));
  CHECK_FALSE(std::filesystem::exists(path + "/api-2-2.txt"));
  CHECK(std::filesystem::exists(path + "/web-3.txt"));
  CHECK(content(path + "/notes.txt") == "mine");
}

TEST_CASE("a report that cannot be written leaves nothing, and is an error that says why") {
  crash_report_store nowhere{"/proc/nowhere/crashes"};
  const auto failed = nowhere.write({.pool = "web"});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message() == "mkdir /proc/nowhere/crashes: No such file or directory");

  const test::temporary_directory here;
  std::filesystem::create_directory(here.file("web-1.txt.new")); // in the way
  crash_report_store blocked{here.path()};
  const auto second = blocked.write({.pool = "web"});
  REQUIRE_FALSE(second);
  CHECK(second.error().message() == "open " + here.file("web-1.txt.new") + ": Is a directory");
  CHECK(files_in(here) == 1);
}
