// Supervision of real processes: the examples `tree` and `dynamic`.
#include "support/catch.hpp"
#include "support/program.hpp"

#include <csignal>

using namespace coppice;
using test::program;

namespace {

std::size_t place(const std::string& text, const std::string& what) {
  const auto at = text.find(what + "\n");
  INFO(text);
  INFO(what);
  REQUIRE(at != std::string::npos);
  return at;
}

} // namespace

TEST_CASE("groups of real processes go down and come up together, in order") {
  program p{{TREE}};
  REQUIRE(p.wait_output("sink starts, incarnation 2\n"));
  REQUIRE(p.wait_output("right starts, incarnation 2\n"));
  const std::string& out = p.output();
  CHECK(place(out, "clock starts, incarnation 1") < place(out, "source starts, incarnation 1"));
  CHECK(place(out, "source starts, incarnation 1") < place(out, "filter starts, incarnation 1"));
  CHECK(place(out, "filter starts, incarnation 2") < place(out, "sink starts, incarnation 2"));
  CHECK(place(out, "left starts, incarnation 2") < place(out, "right starts, incarnation 2"));
  CHECK(out.find("source starts, incarnation 2") == std::string::npos);
  CHECK(out.find("clock starts, incarnation 2") == std::string::npos);
  p.signal(SIGTERM);
  CHECK(p.wait_exit().text() == "exit code 0");
}

TEST_CASE("children are added and removed at run time, and a pool is scaled") {
  program p{{DYNAMIC}};
  const auto status = p.wait_exit();
  const std::string& out = p.output();
  INFO(out);
  CHECK(status.text() == "exit code 0");
  CHECK(out.find("started jobs/1 as process ") != std::string::npos);
  CHECK(out.find("jobs/1 runs in process ") != std::string::npos);
  CHECK(out.find("helpers: 1 to 3\n") != std::string::npos);
  CHECK(out.find("helpers/1 has ended\n") != std::string::npos);
  CHECK(out.find("refused: restart_child nobody: not_found\n") != std::string::npos);
  CHECK(out.find("helpers/2 is ") != std::string::npos);
  CHECK(out.find("helpers/3 is ") != std::string::npos);
}
