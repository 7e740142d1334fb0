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

TEST_CASE("limits of connections are for pools that listen, and let somebody in") {
  const auto web = [] { return pool("web", body); };
  CHECK(wrong_with({web().max_connections(1)}) ==
        "child \"web\": max_connections = 1: is for pools that listen");
  CHECK(wrong_with({web().listen("tcp://h:0").max_connections(0)}) ==
        "child \"web\": max_connections = 0: nobody would be served");
  CHECK(wrong_with({web().listen("tcp://h:0").max_connections_per_worker(0)}) ==
        "child \"web\": max_connections_per_worker = 0: nobody would be served");
  CHECK(wrong_with({web().listen("tcp://h:0").max_connections(1).max_connections_per_worker(1)}) ==
        "");
}

TEST_CASE("an endpoint is one pool's, once, whatever its options") {
  const auto on = [](const std::string& first, const std::string& second) {
    return wrong_with({pool("a", body).listen(first), pool("b", body).listen(second)});
  };
  CHECK(on("tcp://h:0", "tcp://h:0") == "");
  CHECK(on("unix:///a", "unix:///b") == "");
  CHECK(on("tcp://h:80", "tcp://h:80?backlog=7") ==
        "child \"b\": listen = tcp://h:80?backlog=7: is another pool's already");
  CHECK(on("unix:///a", "unix:///a?mode=0666") ==
        "child \"b\": listen = unix:///a?mode=0666: is another pool's already");
  CHECK(on("fd://3", "fd://03") == "child \"b\": listen = fd://03: is another pool's already");
  CHECK(wrong_with({pool("a", body).listen("unix://@a").listen("unix://@a")}) ==
        "child \"a\": listen = unix://@a: is there twice");
}

TEST_CASE("where only datagrams come there are no connections to share out or to limit") {
  const auto web = [] { return pool("web", body).listen("udp://h:53"); };
  CHECK(wrong_with({web()}) == "");
  CHECK(wrong_with({web().policy(ip_hash)}) ==
        "child \"web\": policy = ip_hash: is for pools that listen");
  CHECK(wrong_with({web().max_connections(1)}) ==
        "child \"web\": max_connections = 1: is for pools that listen");
  CHECK(wrong_with({web().listen("tcp://h:53").policy(ip_hash).max_connections(1)}) == "");
  CHECK(wrong_with({web().listen("udp://h:53")}).find("is there twice") != std::string::npos);
}

TEST_CASE("protection that an endpoint cannot have is refused only where it is asked for") {
  const auto web = [](const std::string& endpoint) { return pool("web", body).listen(endpoint); };
  for (const std::string endpoint : {"unix:///a", "unix://@a", "tcp://h:0?fast_open=1"}) {
    CHECK(wrong_with({web(endpoint)}) == "");
    CHECK(wrong_with({web(endpoint).protection(protection::none)}) == "");
    for (const auto level : {protection::connection, protection::request})
      CHECK(wrong_with({web("tcp://h:0").listen(endpoint).protection(level)})
                .starts_with("child \"web\": protection = " + std::string{to_string(level)} +
                             ": over " + endpoint + " there is none: "));
  }
  CHECK(wrong_with({web("fd://3").protection(protection::request)}) == "");
}
