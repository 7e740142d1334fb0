// One worker of a running service writes what it likes into its ledger, under load. What it can
// hurt is the connections that it held itself: not the primary, and nobody else's.
#include "chaos/stream_client.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace coppice::test;
using clock_type = std::chrono::steady_clock;

namespace {

received get(stream_client& c, const std::string& target) {
  const auto how = c.send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
  if (how != ending_of_call::done) return {.how = how};
  return c.receive();
}

/// Connections of workers that do no harm, made while none is done.
std::vector<stream_client> honest_connections(int port, std::size_t n) {
  std::vector<stream_client> found;
  while (found.size() < n) {
    stream_client c{port};
    const auto got = get(c, "/who");
    REQUIRE(got.status == 200);
    if (got.body != "web/1") found.push_back(std::move(c));
  }
  return found;
}

void kill_liar(const program& p) {
  for (const pid_t worker : p.workers())
    if (title(worker) == "coppice: web/1") ::kill(worker, SIGKILL);
}

} // namespace

TEST_CASE("a worker that lies in its ledger hurts nobody but whom it held") {
  const char* seconds = std::getenv("COPPICE_CHAOS_SECONDS");
  const auto seed = std::random_device{}();
  program p{{HOSTILE_SERVICE, "--listen", "tcp://127.0.0.1:0", "--workers", "3", "--log", "error"}};
  p.wait_ready();
  REQUIRE(eventually([&] { return p.spare() != 0; }));
  REQUIRE(p.wait_quiet());
  const auto before = open_files(p.pid());
  {
    auto honest = honest_connections(p.port(), 12);
    std::mutex guard;
    std::string first_failure;
    std::atomic<long> requests = 0, attacks = 0, failed = 0;
    const auto end = clock_type::now() + std::chrono::seconds{seconds ? std::atoi(seconds) : 4};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < honest.size(); ++i)
      threads.emplace_back([&, i] {
        for (unsigned n = 0; clock_type::now() < end; ++n) {
          const auto number = std::to_string(i) + "-" + std::to_string(n);
          const auto got = get(honest[i], "/n/" + number);
          ++requests;
          if (got.status == 200 && got.body == number) continue;
          ++failed;
          const std::lock_guard lock{guard};
          first_failure = number + ": " + std::to_string(got.status) + " " + got.body;
          return;
        }
      });
    for (unsigned i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        std::mt19937 random{seed + i};
        while (clock_type::now() < end) {
          stream_client c{p.port(), {.deadline_ms = 200}}; // it may well get no answer
          if (!c.connected() || get(c, "/who").body != "web/1") continue;
          for (int n = 0; n < 4; ++n, ++attacks) {
            const auto how = std::to_string(random() % 9);
            if (get(c, "/attack?how=" + how + "&seed=" + std::to_string(random())).status != 200)
              break;
          }
        }
      });
    // One that has ruined its own counts gets nothing more to do: a new one takes its place.
    while (clock_type::now() < end) {
      if (p.wait_exit_within(std::chrono::milliseconds{100})) break;
      p.read_output();
      kill_liar(p);
    }
    for (auto& thread : threads) thread.join();
    std::printf("%ld requests, %ld attacks, %ld failed, seed %u\n", requests.load(), attacks.load(),
                failed.load(), seed);
    INFO("seed " << seed << ", first failure: " << first_failure << "\n" << p.output());
    CHECK(failed == 0);
    CHECK(requests > 0);
    CHECK(attacks > 0);
    REQUIRE_FALSE(p.wait_exit_within(std::chrono::milliseconds{0}));
  }

  // The liar's end is that of its lies: everybody is served, and nothing is left over.
  kill_liar(p);
  for (int i = 0; i < 50; ++i) {
    stream_client c{p.port()};
    CHECK(get(c, "/n/1").body == "1");
  }
  const bool whole = eventually([&] {
    p.read_output();
    return p.workers().size() == 3 && p.spare() != 0;
  });
  INFO(p.output());
  CHECK(whole);
  // The primary's copies of closed connections go with its next look.
  CHECK(eventually([&] { return open_files(p.pid()) <= before; }));
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}
