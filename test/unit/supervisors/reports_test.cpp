#include "support/catch.hpp"

#include <coppice/supervisors/deaths.hpp>
#include <coppice/supervisors/supervisor_report.hpp>
#include <coppice/supervisors/tree_node.hpp>

using namespace coppice;
using namespace std::chrono_literals;

TEST_CASE("durations are said in seconds, very short ones in milliseconds") {
  CHECK(to_text(0s) == "0 s");
  CHECK(to_text(3ms) == "3 ms");
  CHECK(to_text(1500us) == "1.5 ms");
  CHECK(to_text(100ms) == "0.1 s");
  CHECK(to_text(12'430ms) == "12.4 s");
  CHECK(to_text(30s) == "30 s");
  CHECK(to_text(2h) == "7200 s");
}

TEST_CASE("a report says why, after how long, how much later and how often") {
  const supervisor_report report{.supervisor = "web",
                                 .context = report_context::child_terminated,
                                 .reason = "SIGSEGV",
                                 .offender =
                                     supervisor_report::offender_info{"web/2", 3, 71, permanent},
                                 .uptime = 12'400ms,
                                 .delay = 800ms,
                                 .count = supervisor_report::count_info{3, 5, 30s}};
  CHECK(to_text(report) ==
        "web/2 (incarnation 3, pid 71): restarted because of SIGSEGV after 12.4 s;"
        " delay 0.8 s; 3 of 5 in 30 s");
}

TEST_CASE("a report about the supervisor itself names it") {
  const supervisor_report report{.supervisor = "web",
                                 .context = report_context::shutdown,
                                 .reason = "more than 5 restarts in 30 s"};
  CHECK(to_text(report) == "web: shuts down: more than 5 restarts in 30 s");
}

TEST_CASE("the last hundred deaths are kept, oldest first") {
  death_log log;
  CHECK(log.empty());
  for (std::uint64_t i = 1; i <= 250; ++i) log.add({.incarnation = i});
  REQUIRE(log.size() == limits::deaths_kept);
  CHECK(log[0].incarnation == 151);
  CHECK(log.last().incarnation == 250);
  log.note_restart(3s, 4);
  CHECK(log.last().restarted);
  CHECK(log[99].delay == 3s);
  CHECK(log[99].count == 4);
  CHECK_FALSE(log[98].restarted);
}

TEST_CASE("each death that is kept has its own reason, of however many there are") {
  const auto reason_of = [](std::uint64_t i) {
    if (i % 7 == 0) return "exit code " + std::to_string(i); // it never comes again
    return i % 3 == 0 ? std::string{"SIGKILL"} : "exit code " + std::to_string(i % 5);
  };
  death_log log;
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    log.add({.incarnation = i,
             .ending = {.how = i % 2 == 0 ? ending::abnormal : ending::start_failed,
                        .reason = reason_of(i),
                        .progress = i % 11 == 0,
                        .pid = static_cast<std::int32_t>(i)},
             .uptime = std::chrono::seconds{i}});
    for (std::size_t k = 0; k < log.size(); ++k) {
      const death one = log[k];
      INFO("death " << one.incarnation << " after " << i);
      REQUIRE(one.incarnation == i - (log.size() - 1 - k));
      REQUIRE(one.ending.reason == reason_of(one.incarnation));
    }
  }
  CHECK(log.last().ending ==
        ending{.how = ending::abnormal, .reason = "exit code 0", .progress = false, .pid = 1000});
  CHECK(log.last().uptime == 1000s);
}

TEST_CASE("a death says why, after how long, how much later and how often") {
  death one{.ending = {.how = ending::abnormal, .reason = "SIGSEGV"}, .uptime = 12'400ms};
  CHECK(to_text(one, {5, 30s}) == "ended because of SIGSEGV after 12.4 s");
  one.restarted = true;
  one.delay = 800ms;
  one.count = 3;
  CHECK(to_text(one, {5, 30s}) ==
        "restarted because of SIGSEGV after 12.4 s; delay 0.8 s; 3 of 5 in 30 s");
  one.asked = true;
  CHECK(to_text(one, {5, 30s}) == "stopped after 12.4 s");
}

TEST_CASE("a tree is printed with its pids and its branches") {
  const tree_node tree{
      .id = "root",
      .kind = "supervisor",
      .state = "running",
      .strategy = "one_for_one",
      .children = {{.id = "web",
                    .kind = "supervisor",
                    .state = "up",
                    .strategy = "one_for_one",
                    .children = {{.id = "web/1",
                                  .kind = "worker",
                                  .state = "up",
                                  .incarnation = 3,
                                  .restarts = 2,
                                  .pid = 71}}},
                   {.id = "router", .kind = "actor", .state = "backing_off", .degraded = true}}};
  CHECK(to_text(tree) == "root  supervisor  running  one_for_one\n"
                         "|- web  supervisor  up  one_for_one\n"
                         "|  `- web/1  worker  up  pid 71  incarnation 3  restarts 2\n"
                         "`- router  actor  backing_off  degraded\n");
}
