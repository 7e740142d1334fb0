#include "support/catch.hpp"

#include <coppice/actors/spec.hpp>

using namespace coppice;

namespace {

/// What is wrong with a pool of two that shares out its connections like this.
std::vector<std::string> wrong(dispatch_policy policy, bool listens = true) {
  pool web{"web", [](worker&) {}};
  web.instances(2).policy(std::move(policy));
  if (listens) web.listen("tcp://127.0.0.1:0");
  return validate(service_spec{.children = {web}});
}
using lines = std::vector<std::string>;

const auto first = [](std::span<const worker_load>, const newcomer&) -> std::size_t { return 0; };

} // namespace

TEST_CASE("every policy is valid as its factory makes it") {
  for (const auto& policy :
       {dispatch_policy{}, dispatch_policy{round_robin}, dispatch_policy{least_connections},
        dispatch_policy{power_of_two_choices}, dispatch_policy{ip_hash}, weighted({1, 0}),
        sticky_cookie("session"), sticky_header("X-Tenant"), custom(first)})
    CHECK(wrong(policy).empty());
}

TEST_CASE("weights must be as many as the instances, and not all nothing") {
  CHECK(wrong(weighted({1, 2, 3})) ==
        lines{"child \"web\": policy = weighted: has 3 weights for 2 instances"});
  CHECK(wrong(weighted({})) ==
        lines{"child \"web\": policy = weighted: has 0 weights for 2 instances"});
  CHECK(wrong(weighted({0, 0})) ==
        lines{"child \"web\": policy = weighted: weighs all with 0: nobody would have a turn"});
}

TEST_CASE("a cookie and a header field must have a name that they can have") {
  CHECK(wrong(sticky_cookie("")) ==
        lines{"child \"web\": policy = sticky_cookie: '' is no name of a cookie"});
  CHECK(wrong(sticky_cookie("a=b")).size() == 1);
  CHECK(wrong(sticky_header("X Tenant:")) ==
        lines{"child \"web\": policy = sticky_header: 'X Tenant:' is no name of a header field"});
}

TEST_CASE("a policy of one's own must be a function") {
  CHECK(wrong(custom(nullptr)) ==
        lines{"child \"web\": policy = custom: is empty: there is no function to ask"});
  CHECK(wrong(policy_kind::custom).size() == 1);
}

TEST_CASE("a pool that listens nowhere has nothing to share out") {
  CHECK(wrong(ip_hash, false) ==
        lines{"child \"web\": policy = ip_hash: is for pools that listen"});
  CHECK(wrong(round_robin, false).empty());
}
