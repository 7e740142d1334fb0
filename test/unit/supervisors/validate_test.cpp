#include "support/catch.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/supervisors/validate.hpp>

#include <limits>

using namespace coppice;
using namespace std::chrono_literals;

namespace {

/// The only thing wrong, as one line.
std::string only(const supervisor_spec& spec, std::vector<child_spec> children) {
  const auto found = validate(spec, children);
  CAPTURE(found.size());
  REQUIRE(found.size() == 1);
  return found[0].message();
}
std::string only(const child_spec& child) { return only(supervisor_spec{}, {child}); }
std::string only(const supervisor_spec& spec) { return only(spec, {child_spec{.id = "a"}}); }

} // namespace

TEST_CASE("a spec of defaults is valid") {
  const std::vector children{child_spec{.id = "a"}, child_spec{.id = "b"}};
  CHECK(validate(supervisor_spec{}, children).empty());
  CHECK(validate(supervisor_spec{}, {}).empty());
}

TEST_CASE("every wrong field of a child is named with its value") {
  CHECK(only(child_spec{.id = ""}) == "child \"number 1\": id = \"\": must not be empty");
  CHECK(only(child_spec{.id = "a\nb"}) ==
        "child \"a\nb\": id = \"a\nb\": contains a control character");
  CHECK(only({}, {child_spec{.id = "a"}, child_spec{.id = "a"}}) ==
        "child \"a\": id = \"a\": is the id of an earlier child, too");
  CHECK(only(child_spec{.id = "a", .shutdown = 0s}) ==
        "child \"a\": shutdown = 0 s: must be positive");
  CHECK(only(child_spec{.id = "a", .shutdown = -5s}) ==
        "child \"a\": shutdown = -5 s: must be positive");
  CHECK(only(child_spec{.id = "a", .shutdown = 10'000h}) ==
        "child \"a\": shutdown = 36000000 s: is longer than a year");
  CHECK(only(child_spec{.id = "a", .ready_timeout = 0ms}) ==
        "child \"a\": ready_timeout = 0 s: must be positive");
  CHECK(only(child_spec{.id = "a", .backoff = {.first = 0ms}}) ==
        "child \"a\": backoff.first = 0 s: must be positive");
  CHECK(only(child_spec{.id = "a", .backoff = {.first = 200ms, .max = 100ms}}) ==
        "child \"a\": backoff.max = 0.1 s: is below backoff.first (0.2 s)");
  CHECK(only(child_spec{.id = "a", .backoff = {.factor = 0.5}}) ==
        "child \"a\": backoff.factor = 0.5: must be at least 1");
  CHECK(only(child_spec{.id = "a",
                        .backoff = {.factor = std::numeric_limits<double>::quiet_NaN()}}) ==
        "child \"a\": backoff.factor = nan: must be at least 1");
  CHECK(only(child_spec{.id = "a", .backoff = {.jitter = 1}}) ==
        "child \"a\": backoff.jitter = 1: must be in [0, 1)");
  CHECK(only(child_spec{.id = "a", .backoff = {.stable_after = 0ms}}) ==
        "child \"a\": backoff.stable_after = 0 s: must be positive");
}

TEST_CASE("degrade is for one_for_one alone") {
  CHECK(only(supervisor_spec{.strategy = one_for_all, .on_exceeded = degrade}) ==
        "supervisor: on_exceeded = degrade: keeps one child down while the others go on, which"
        " one_for_all does not allow");
  CHECK(validate(supervisor_spec{.strategy = rest_for_one}, {}).empty());
}

TEST_CASE("brutal_kill, infinity and backoff::none are valid") {
  const std::vector children{
      child_spec{.id = "a", .shutdown = brutal_kill, .backoff = backoff::none},
      child_spec{.id = "b", .shutdown = infinity}};
  CHECK(validate(supervisor_spec{}, children).empty());
}

TEST_CASE("a significant child must be able to end, and its end must mean something") {
  const supervisor_spec any{.auto_shutdown = auto_shutdown_policy::any_significant};
  CHECK(only(any, {child_spec{.id = "a", .restart = permanent, .significant = true}}) ==
        "child \"a\": significant = true: a permanent child never ends for good");
  CHECK(only({}, {child_spec{.id = "a", .restart = transient, .significant = true}}) ==
        "child \"a\": significant = true: means nothing while auto_shutdown is never");
  const std::vector fine{child_spec{.id = "a", .restart = temporary, .significant = true}};
  CHECK(validate(any, fine).empty());
}

TEST_CASE("every wrong field of a supervisor is named with its value") {
  CHECK(only(supervisor_spec{.intensity = {.restarts = 1, .period = 0s}}) ==
        "supervisor: intensity.period = 0 s: must be positive where restarts are allowed");
  CHECK(only(supervisor_spec{.intensity = {.restarts = 0, .period = -1s}}) ==
        "supervisor: intensity.period = -1 s: must not be negative");
  CHECK(only(supervisor_spec{.intensity = {.restarts = 10'001, .period = 1s}}) ==
        "supervisor: intensity.restarts = 10001: more than 10000 cannot be counted");
  CHECK(only(supervisor_spec{.intensity = {.restarts = 1, .period = 10'000h}}) ==
        "supervisor: intensity.period = 36000000 s: is longer than a year");
  CHECK(only(supervisor_spec{.parallel_start = true, .max_starting = 0}) ==
        "supervisor: max_starting = 0: nothing could ever start");
  CHECK(only(supervisor_spec{.on_exceeded = degrade},
             {child_spec{.id = "a", .backoff = backoff::none}}) ==
        "child \"a\": backoff = none: a degraded child is tried again at backoff.max: a hot loop");
  CHECK(validate({.intensity = {.restarts = 0, .period = 0s}}, {}).empty());
}

TEST_CASE("every wrong field of a template is named with its value") {
  const auto only_of = [](const supervisor_spec& spec, const child_template& dynamic) {
    const auto found = validate(spec, {}, dynamic);
    CAPTURE(found.size());
    REQUIRE(found.size() == 1);
    return found[0].message();
  };
  const child_template good{.spec = {.id = "web"}, .initial = 2, .max_children = 2};
  CHECK(validate({}, {}, good).empty());
  for (const auto strategy : {restart_strategy::one_for_all, restart_strategy::rest_for_one})
    CHECK(only_of({.strategy = strategy}, good) ==
          "supervisor: strategy = " + std::string{to_string(strategy)} +
              ": dynamic children are restarted one by one: one_for_one");
  child_template bad = good;
  bad.initial = bad.max_children = 0;
  CHECK(only_of({}, bad) == "supervisor: max_children = 0: is not within 1 and 10000");
  bad.max_children = limits::dynamic_children + 1;
  CHECK(only_of({}, bad) == "supervisor: max_children = 10001: is not within 1 and 10000");
  bad = good;
  bad.initial = 3;
  CHECK(only_of({}, bad) == "supervisor: instances = 3: is more than max_children (2)");
  bad = good;
  bad.spec.id = "";
  CHECK(only_of({}, bad) == "child \"the template\": id = \"\": must not be empty");
  bad = good;
  bad.spec.ready_timeout = 0s;
  CHECK(only_of({}, bad) == "child \"web\": ready_timeout = 0 s: must be positive");
  bad = good;
  bad.spec.significant = true;
  bad.spec.restart = transient;
  CHECK(only_of({}, bad) ==
        "child \"web\": significant = true: means nothing while auto_shutdown is never");
  bad = good;
  bad.spec.backoff = backoff::none;
  CHECK(
      only_of({.on_exceeded = degrade}, bad) ==
      "child \"web\": backoff = none: a degraded child is tried again at backoff.max: a hot loop");
}

TEST_CASE("everything that is wrong is named at once, in order") {
  const std::vector children{child_spec{.id = "", .shutdown = 0s},
                             child_spec{.id = "b", .backoff = {.factor = 0, .jitter = -1}}};
  const auto found = validate({.intensity = {.restarts = 1, .period = 0s}}, children);
  REQUIRE(found.size() == 5);
  CHECK(found[0].field == "intensity.period");
  CHECK(found[1].field == "id");
  CHECK(found[2].field == "shutdown");
  CHECK(found[3].field == "backoff.factor");
  CHECK(found[4].field == "backoff.jitter");
}
