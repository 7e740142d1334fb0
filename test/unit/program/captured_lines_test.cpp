// What a program prints, as lines.
#include "support/catch.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/program/captured_lines.hpp>

#include <vector>

namespace coppice {
namespace {

using namespace std::chrono_literals;

struct kept {
  std::vector<std::string> lines;
  captured_lines captured{[this](std::string_view line) { lines.emplace_back(line); }};
  captured_lines::time_point now{1h};

  void take(std::string_view bytes) { captured.take(bytes, now); }
  void finish() { captured.finish(now); }
};

} // namespace

TEST_CASE("lines come out whole, however their bytes come in") {
  const std::string text = "one\ntwo\r\n\nthree";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    INFO(piece);
    kept it;
    for (std::size_t at = 0; at < text.size(); at += piece) it.take(text.substr(at, piece));
    CHECK(it.lines == std::vector<std::string>{"one", "two", ""});
    it.finish();
    CHECK(it.lines == std::vector<std::string>{"one", "two", "", "three"});
  }
}

TEST_CASE("a line that is too long is cut, and the next one is not concerned") {
  for (const std::size_t piece : {1u, 100u, 100'000u}) {
    kept it;
    const std::string text = std::string(limits::captured_line + 50'000, 'x') + "\nnext\n";
    for (std::size_t at = 0; at < text.size(); at += piece) it.take(text.substr(at, piece));
    REQUIRE(it.lines.size() == 2);
    CHECK(it.lines[0] == std::string(limits::captured_line, 'x') + "...");
    CHECK(it.lines[1] == "next");
  }
  kept exact;
  exact.take(std::string(limits::captured_line, 'x') + "\n");
  CHECK(exact.lines[0].size() == limits::captured_line);
}

TEST_CASE("nothing that is printed steers the terminal of whoever reads the log") {
  kept it;
  it.take("a\x1b[31mb\tc\x7f\x01 d\re\n\xc3\xa4\n");
  CHECK(it.lines == std::vector<std::string>{"a?[31mb\tc?? d?e", "\xc3\xa4"});
}

TEST_CASE("of a flood a part goes out, and the rest is counted") {
  kept it;
  for (std::size_t i = 0; i < limits::captured_lines_per_second + 7; ++i) it.take("x\n");
  CHECK(it.lines.size() == limits::captured_lines_per_second);
  CHECK(it.captured.dropped() == 7);
  it.now += 1s;
  it.take("after\n");
  REQUIRE(it.lines.size() == limits::captured_lines_per_second + 2);
  CHECK(it.lines[it.lines.size() - 2] == "(7 lines left out: more than 1000 in a second)");
  CHECK(it.lines.back() == "after");
  CHECK(it.captured.dropped() == 0);
}

TEST_CASE("at the end, too, what was left out is said") {
  kept it;
  for (std::size_t i = 0; i < limits::captured_lines_per_second + 1; ++i) it.take("x\n");
  it.finish();
  CHECK(it.lines.back() == "(1 lines left out: more than 1000 in a second)");
}

} // namespace coppice
