// Two thousand connections, each given to a worker while workers die: every client gets its answer,
// and neither the primary nor the zygote keeps a descriptor of it all.
#include "chaos/stream_client.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace coppice::test;

namespace {

constexpr int handoffs = 2000;

/// What the clients of one case saw.
struct seen {
  std::atomic<int> next = 0, done = 0, failed = 0;
  std::mutex guard;
  std::string first_failure;
};

/// One connection after the other, one request on each.
void ask_all(int port, seen& saw) {
  for (int n = saw.next++; n < handoffs; n = saw.next++) {
    stream_client c{port};
    const auto number = std::to_string(n);
    auto how = c.connected() ? c.send("GET /run?id=" + number + "&us=500 HTTP/1.1\r\nHost: x\r\n" +
                                      (n % 2 == 0 ? "Connection: close\r\n\r\n" : "\r\n"))
                             : ending_of_call::reset;
    received got;
    if (how == ending_of_call::done) how = (got = c.receive()).how;
    ++saw.done;
    if (how == ending_of_call::done && got.status == 200 && got.has("X-Run: ")) continue;
    ++saw.failed;
    const std::lock_guard lock{saw.guard};
    if (saw.first_failure.empty())
      saw.first_failure =
          number + ": " + std::string{to_string(how)} + ", " + std::to_string(got.status);
  }
}

struct counts {
  std::size_t primary = 0, zygote = 0;
};
counts open_in(const program& p) { return {open_files(p.pid()), open_files(p.zygote())}; }

/// Waits until everybody is there and nobody is on the way.
bool wait_whole(program& p) {
  return eventually([&] {
           p.read_output();
           return p.workers().size() == 4 && p.spare() != 0 && p.zygote() != 0;
         }) &&
         p.wait_quiet();
}

/// `victims` gives those of whom one dies next.
void race(const char* name, const std::function<std::vector<pid_t>(const program&)>& victims) {
  const auto seed = std::random_device{}();
  const temporary_directory folder;
  program p{{STORM_SERVICE, "--listen", "tcp://127.0.0.1:0", "--workers", "4", "--log", "error",
             "--runs", folder.file("runs")}};
  p.wait_ready();
  REQUIRE(wait_whole(p));
  const counts before = open_in(p);

  seen saw;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back([&] { ask_all(p.port(), saw); });
  std::mt19937 random{seed};
  long kills = 0;
  while (saw.done < handoffs) {
    if (p.wait_exit_within(std::chrono::milliseconds{10 + random() % 20})) break;
    p.read_output();
    if (2 * p.workers().size() < 4) continue; // half of them must have been able to come back
    const auto now = victims(p);
    if (!now.empty() && ::kill(now[random() % now.size()], SIGKILL) == 0) ++kills;
  }
  for (auto& client : clients) client.join();

  const bool whole = wait_whole(p);
  // The primary's copies of closed connections go with its next look.
  const bool settled = eventually([&] {
    const counts now = open_in(p);
    return now.primary <= before.primary && now.zygote <= before.zygote;
  });
  const counts after = open_in(p);
  std::printf("%s: %d handoffs, %ld kills, %d failed; descriptors of the primary %zu, then %zu; of "
              "the zygote %zu, then %zu; seed %u\n",
              name, handoffs, kills, saw.failed.load(), before.primary, after.primary,
              before.zygote, after.zygote, seed);
  INFO("seed " << seed << ", first failure: " << saw.first_failure << "\n" << p.output());
  CHECK(saw.failed == 0);
  CHECK(kills > 0);
  CHECK(whole);
  CHECK(settled);
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}

} // namespace

TEST_CASE("handoffs that race with deaths leave no descriptor and no client behind") {
  race("workers", [](const program& p) { return p.workers(); });
}

TEST_CASE("nor do they when those that make workers die as well") {
  race("workers, zygote and spare", [](const program& p) {
    auto all = p.workers();
    for (const pid_t one : {p.zygote(), p.spare()})
      if (one != 0) all.push_back(one);
    return all;
  });
}
