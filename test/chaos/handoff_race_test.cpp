// Two thousand connections, each given to a worker while workers die: every client gets its answer,
// and neither the primary nor the zygote keeps a descriptor of it all.
#include "chaos/stream_client.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace coppice::test;

namespace {

struct counts {
  std::size_t primary = 0, zygote = 0;
  bool operator==(const counts&) const = default;
};

counts open_in(const program& p) { return {open_files(p.pid()), open_files(p.zygote())}; }

/// Everybody is there and nobody is on the way.
bool at_rest(const program& p) { return p.workers().size() == 4 && p.spare() != 0; }

} // namespace

TEST_CASE(
    "handoffs that race with deaths leave no descriptor behind, and no client without answer") {
  constexpr int handoffs = 2000;
  const auto seed = std::random_device{}();
  program p{{HTTP_HELLO, "--listen", "tcp://127.0.0.1:0", "--workers", "4", "--log", "warn"}};
  p.wait_ready();
  REQUIRE(eventually([&] { return at_rest(p); }));
  const counts before = open_in(p);

  std::atomic<int> next = 0, failed = 0, done = 0;
  std::mutex guard;
  std::string first_failure;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&] {
      for (int n = next++; n < handoffs; n = next++) {
        stream_client c{p.port()};
        const auto number = std::to_string(n);
        auto how = c.connected() ? c.send("GET /n/" + number + "?us=500 HTTP/1.1\r\nHost: x\r\n" +
                                          (n % 2 == 0 ? "Connection: close\r\n\r\n" : "\r\n"))
                                 : ending_of_call::reset;
        received got;
        if (how == ending_of_call::done) how = (got = c.receive()).how;
        ++done;
        if (how == ending_of_call::done && got.status == 200 && got.body == number) continue;
        ++failed;
        const std::lock_guard lock{guard};
        if (first_failure.empty())
          first_failure = number + ": " + std::string{to_string(how)} + ", " +
                          std::to_string(got.status) + " " + got.body;
      }
    });
  std::mt19937 random{seed};
  long kills = 0;
  while (done < handoffs) {
    if (p.wait_exit_within(std::chrono::milliseconds{10 + random() % 20})) break;
    p.read_output();
    const auto now = p.workers();
    if (!now.empty() && ::kill(now[random() % now.size()], SIGKILL) == 0) ++kills;
  }
  for (auto& client : clients) client.join();

  const bool settled = eventually([&] {
    p.read_output();
    return at_rest(p) && open_in(p) == before;
  });
  const counts after = open_in(p);
  std::printf("%d handoffs, %ld kills, %d failed; descriptors of the primary %zu, then %zu; of the "
              "zygote %zu, then %zu; seed %u\n",
              handoffs, kills, failed.load(), before.primary, after.primary, before.zygote,
              after.zygote, seed);
  INFO("seed " << seed << ", first failure: " << first_failure << "\n" << p.output());
  CHECK(failed == 0);
  CHECK(kills > 0);
  CHECK(settled);
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}
