#include "support/catch.hpp"

#include <coppice/actors/balancer.hpp>
#include <map>
#include <random>
#include <set>
#include <stdexcept>

using namespace coppice;

namespace {

/// Workers 1, 2, ... with room for as many as anybody wants, and so many connections each.
std::vector<worker_load> with_open(const std::vector<std::size_t>& open) {
  std::vector<worker_load> workers;
  for (std::size_t i = 0; i < open.size(); ++i) workers.push_back({i + 1, 1, 1'000'000, open[i]});
  return workers;
}
std::vector<worker_load> workers(std::size_t n) { return with_open(std::vector<std::size_t>(n)); }

/// The slots of the next `n` choices, none of which is ever closed again.
std::vector<std::uint64_t> slots(balancer& policy, std::vector<worker_load>& all, std::size_t n,
                                 const newcomer& who = {}) {
  std::vector<std::uint64_t> chosen;
  for (std::size_t i = 0; i < n; ++i) {
    auto& worker = all.at(policy.choose(all, who));
    ++worker.open;
    chosen.push_back(worker.slot);
  }
  return chosen;
}

using turns = std::vector<std::uint64_t>;

newcomer client(std::uint64_t number) {
  newcomer who;
  who.affinity = affinity_of("10.0.0." + std::to_string(number));
  return who;
}

const std::vector<dispatch_policy>& all_policies() {
  static const std::vector<dispatch_policy> all{
      round_robin,
      least_connections,
      power_of_two_choices,
      weighted({3, 0, 1, 5, 1, 2, 1}),
      ip_hash,
      sticky_cookie("c"),
      sticky_header("X-C"),
      custom([](std::span<const worker_load> ready, const newcomer&) { return ready.size() - 1; })};
  return all;
}

} // namespace

TEST_CASE("every policy chooses a worker with credit, however few there are") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  for (const auto& policy : all_policies()) {
    const auto balance = make_balancer(policy, seed);
    for (int i = 0; i < 2000; ++i) {
      auto all = workers(1 + random() % 7);
      for (auto& w : all) {
        w.credit = random() % 3 == 0 ? 1 : 0;
        w.open = random() % 4;
      }
      all[random() % all.size()].credit = 1;
      const auto at = balance->choose(all, random() % 2 == 0 ? newcomer{} : client(random() % 9));
      REQUIRE(at < all.size());
      REQUIRE(all[at].credit > 0);
    }
  }
}

TEST_CASE("least connections: the fewest open first, and equals in turn") {
  const auto balance = make_balancer(least_connections);
  auto all = with_open({2, 0, 1});
  CHECK(slots(*balance, all, 6) == turns{2, 3, 2, 3, 1, 2});
  all[0].open = 0;
  CHECK(slots(*balance, all, 3) == turns{1, 1, 1});
}

TEST_CASE("least connections: one without credit is passed over, however idle") {
  const auto balance = make_balancer(least_connections);
  auto all = with_open({5, 0, 6});
  all[1].credit = 0;
  CHECK(slots(*balance, all, 3) == turns{1, 3, 1});
}

TEST_CASE("power of two choices: the most loaded of all is never chosen, and all others are") {
  const auto balance = make_balancer(power_of_two_choices, 7);
  const auto all = with_open({1, 1, 9, 1, 1});
  std::set<std::uint64_t> chosen;
  for (int i = 0; i < 1000; ++i) chosen.insert(all[balance->choose(all, {})].slot);
  CHECK(chosen == std::set<std::uint64_t>{1, 2, 4, 5});
}

TEST_CASE("power of two choices: the same seed makes the same choices, another one others") {
  const auto run = [](std::uint64_t seed) {
    const auto balance = make_balancer(power_of_two_choices, seed);
    auto all = workers(9);
    return slots(*balance, all, 100);
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}

TEST_CASE("power of two choices: ten thousand connections differ by a few") {
  const auto balance = make_balancer(power_of_two_choices, 3);
  auto all = workers(10);
  slots(*balance, all, 10'000);
  for (const auto& w : all) {
    CHECK(w.open >= 990);
    CHECK(w.open <= 1010);
  }
}

TEST_CASE("weighted: turns by weight are mixed smoothly, as nginx mixes them") {
  const auto balance = make_balancer(weighted({5, 1, 1}));
  auto all = workers(3);
  CHECK(slots(*balance, all, 14) == turns{1, 1, 2, 1, 3, 1, 1, 1, 1, 2, 1, 3, 1, 1});
}

TEST_CASE("weighted: the shares are the weights, and a slot that comes back has its own again") {
  const auto balance = make_balancer(weighted({1, 2, 3}));
  auto all = workers(3);
  slots(*balance, all, 600);
  CHECK(all[0].open == 100);
  CHECK(all[1].open == 200);
  CHECK(all[2].open == 300);
  auto without = std::vector{all[0], all[2]};
  without[0].open = without[1].open = 0;
  slots(*balance, without, 400);
  CHECK(without[0].open == 100);
  CHECK(without[1].open == 300);
  all = workers(3);
  all[1].incarnation = 2;
  slots(*balance, all, 600);
  CHECK(all[1].open == 200);
}

TEST_CASE("weighted: a slot of weight 0 is a reserve, and a slot that was added weighs 1") {
  const auto balance = make_balancer(weighted({2, 0}));
  auto all = workers(3);
  slots(*balance, all, 300);
  CHECK(all[0].open == 200);
  CHECK(all[1].open == 0);
  CHECK(all[2].open == 100);
  all[0].credit = all[2].credit = 0;
  CHECK(slots(*balance, all, 2) == turns{2, 2});
}

TEST_CASE("by hash: a client has its slot, and who comes without anything gets turns") {
  for (const auto& policy : {dispatch_policy{ip_hash}, sticky_cookie("c"), sticky_header("h")}) {
    const auto balance = make_balancer(policy);
    auto all = workers(5);
    for (std::uint64_t c = 0; c < 50; ++c) {
      const auto chosen = slots(*balance, all, 3, client(c));
      CHECK(chosen == turns(3, chosen[0]));
    }
    CHECK(slots(*balance, all, 5) == turns{1, 2, 3, 4, 5});
  }
}

TEST_CASE("by hash: only the clients of a slot that is down or full go elsewhere, and come back") {
  const auto balance = make_balancer(ip_hash);
  auto all = workers(6);
  std::map<std::uint64_t, std::uint64_t> home;
  for (std::uint64_t c = 0; c < 600; ++c) home[c] = slots(*balance, all, 1, client(c))[0];
  for (const bool down : {true, false}) {
    auto now = all;
    if (down)
      now.erase(now.begin() + 2);
    else
      now[2].credit = 0;
    std::set<std::uint64_t> hosts;
    for (const auto& [c, slot] : home) {
      const auto chosen = slots(*balance, now, 1, client(c))[0];
      if (slot != 3)
        CHECK(chosen == slot);
      else
        hosts.insert(chosen);
    }
    CHECK(hosts == std::set<std::uint64_t>{1, 2, 4, 5, 6}); // not all to the same one
  }
  all[2].incarnation = 2;
  for (const auto& [c, slot] : home) CHECK(slots(*balance, all, 1, client(c))[0] == slot);
}

TEST_CASE("by hash: clients are spread over the slots") {
  const auto balance = make_balancer(ip_hash);
  auto all = workers(8);
  for (std::uint64_t c = 0; c < 8000; ++c) slots(*balance, all, 1, client(c));
  for (const auto& w : all) {
    CHECK(w.open > 850); // the standard deviation is 30
    CHECK(w.open < 1150);
  }
}

TEST_CASE("custom: it sees who is ready with room, and whom it is about") {
  std::vector<std::uint64_t> seen;
  std::string address;
  const auto balance =
      make_balancer(custom([&](std::span<const worker_load> ready, const newcomer& who) {
        seen.clear();
        for (const auto& w : ready) seen.push_back(w.slot);
        address = who.address;
        return ready.size() - 1;
      }));
  auto all = workers(4);
  all[1].credit = all[3].credit = 0;
  newcomer who;
  who.address = "192.0.2.7";
  CHECK(balance->choose(all, who) == 2);
  CHECK(seen == turns{1, 3});
  CHECK(address == "192.0.2.7");
  CHECK(balance->trait() == client_trait::address);
}

TEST_CASE("custom: a bad answer is the next one's turn, and is told of ever more rarely") {
  std::vector<std::uint64_t> times;
  std::string said;
  const auto balance = make_balancer(
      custom([n = 0](std::span<const worker_load> ready, const newcomer&) mutable -> std::size_t {
        if (++n % 3 == 0) throw std::runtime_error{"no idea"};
        if (n % 3 == 1) throw 7;
        return ready.size();
      }),
      1, [&](std::uint64_t n, const std::string& what) {
        times.push_back(n);
        said += what + "\n";
      });
  auto all = workers(3);
  CHECK(slots(*balance, all, 6) == turns{1, 2, 3, 1, 2, 3});
  slots(*balance, all, 94);
  CHECK(times == turns{1, 2, 4, 8, 16, 32, 64});
  CHECK(said.find("it threw something that is no std::exception\n") != said.npos);
  CHECK(said.find("it answered 3 with 3 workers to choose from\n") != said.npos);
  slots(*balance, all, 28); // the 128th
  CHECK(said.find("it threw: no idea\n") == said.npos);
}

TEST_CASE("an affinity is never nothing, and differs from text to text") {
  std::set<std::uint64_t> seen{0, affinity_of("")};
  CHECK(seen.size() == 2);
  for (int i = 0; i < 10'000; ++i) CHECK(seen.insert(affinity_of(std::to_string(i))).second);
}
