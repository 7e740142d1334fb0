// What validate says about a whole service: child, field, value and why.
#include "support/catch.hpp"

#include <coppice/actors/spec.hpp>

#include <string>
#include <sys/resource.h>
#include <vector>

using namespace coppice;
using namespace std::chrono_literals;

namespace {

void body(worker&) {}

std::string wrong_with(std::vector<child> children) {
  service_spec spec;
  spec.children = std::move(children);
  std::string all;
  for (const auto& line : validate(spec)) all += (all.empty() ? "" : "\n") + line;
  return all;
}

} // namespace

TEST_CASE("a pool, an agent and a dynamic group of defaults are valid") {
  CHECK(wrong_with({pool("a", body), agent("b", body), dynamic("c", body)}) == "");
}

TEST_CASE("what is wrong with the settings of any kind of group is named") {
  const auto of_each = [](const auto& change) {
    pool p{"web", body};
    agent a{"web", body};
    dynamic d{"web", body};
    change(p);
    change(a);
    change(d);
    const auto said = wrong_with({p});
    CHECK(wrong_with({a}) == said);
    CHECK(wrong_with({d}) == said);
    return said;
  };
  CHECK(of_each([](auto& group) { group.umask(07777); }) ==
        "child \"web\": umask = 07777: is not within 0 and 0777");
  CHECK(of_each([](auto& group) { group.nice(-21); }) ==
        "child \"web\": nice = -21: is not within -20 and 19");
  CHECK(of_each([](auto& group) { group.user("no such user"); }) ==
        "child \"web\": user = no such user: there is no such user");
  CHECK(of_each([](auto& group) { group.ready_timeout(0s); }) ==
        "child \"web\": ready_timeout = 0 s: must be positive");
  CHECK(of_each([](auto& group) { group.backoff({.first = 2s, .max = 1s}); }) ==
        "child \"web\": backoff.max = 1 s: is below backoff.first (2 s)");
  CHECK(of_each([](auto& group) { group.intensity({.restarts = 1, .period = 0s}); }) ==
        "child \"web\": intensity.period = 0 s: must be positive where restarts are allowed");
}

TEST_CASE("what is wrong with the numbers of a group is named") {
  CHECK(wrong_with({pool("web", body).instances(0)})
            .find("child \"web\": instances = 0: is not within 1 and 1024") == 0);
  CHECK(wrong_with({pool("web", body).instances(4).max_children(3)}) ==
        "child \"web\": instances = 4: is more than max_children (3)");
  CHECK(wrong_with({dynamic("jobs", body).max_children(0)}) ==
        "child \"jobs\": max_children = 0: is not within 1 and 10000");
}

TEST_CASE("what is wrong with a worker's limits of health is named") {
  CHECK(wrong_with({pool("web", body).hang_timeout(2500ms)}) ==
        "child \"web\": hang_timeout = 2.5 s: is below the least, 3 s");
  CHECK(wrong_with({pool("web", body).hang_timeout(3s).max_requests(1).max_memory(1)}) == "");
  CHECK(wrong_with({pool("web", body).hang_timeout(no_timeout)}) == "");
  CHECK(wrong_with({pool("web", body).max_lifetime(10'000h)}) ==
        "child \"web\": max_lifetime = 36000000 s: is longer than a year");
  CHECK(wrong_with({pool("web", body).max_lifetime(0s)}) ==
        "child \"web\": max_lifetime = 0 s: is below the least, 1 s");
  for (const auto& said : {wrong_with({pool("web", body).max_memory(0)}),
                           wrong_with({agent("web", body).max_memory(0)}),
                           wrong_with({dynamic("web", body).max_memory(0)})})
    CHECK(said == "child \"web\": max_memory = 0: a worker would be replaced at once");
  CHECK(wrong_with({pool("web", body).max_requests(0)}) ==
        "child \"web\": max_requests = 0: a worker would be replaced at once");
  CHECK(wrong_with({pool("web", body).health_jitter(1.5)}) ==
        "child \"web\": health_jitter = 1.5: must be in [0, 1]");
}

TEST_CASE("what cannot end by itself is not significant") {
  CHECK(wrong_with({agent("a", body).significant()})
            .find("child \"a\": significant = true: a permanent child never ends for good") !=
        std::string::npos);
  CHECK(wrong_with({dynamic("a", body).significant()})
            .find("child \"a\": significant = true: a permanent child never ends for good") !=
        std::string::npos);
}
