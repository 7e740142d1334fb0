// The classic example: twelve workers that each end with exit code 1 after a random time of up to
// ten seconds, under load. A supervisor that counts every death gives up on such a service; ours
// must not. COPPICE_CHAOS_SECONDS sets how long it runs; the classic is 60.
#include "support/catch.hpp"
#include "support/http_client.hpp"
#include "support/program.hpp"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

using namespace coppice;

TEST_CASE("twelve workers that keep ending with exit code 1 never end the service") {
  const char* seconds = std::getenv("COPPICE_CHAOS_SECONDS");
  const auto length = std::chrono::seconds{seconds ? std::atoi(seconds) : 8};
  test::program p{{MISBEHAVE, "flaky", "12"}};
  p.wait_ready();
  const auto end = std::chrono::steady_clock::now() + length;
  std::atomic<unsigned> asked = 0, failed = 0, hung = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back([&] {
      while (std::chrono::steady_clock::now() < end) {
        const auto began = std::chrono::steady_clock::now();
        const auto got = test::get(p.port(), "/");
        ++asked;
        if (!got || got->status != 200) ++failed;
        if (std::chrono::steady_clock::now() - began > std::chrono::seconds{9}) ++hung;
      }
    });
  std::size_t deaths = 0;
  while (std::chrono::steady_clock::now() < end)
    if (p.wait_exit_within(std::chrono::milliseconds{50}))
      break;
    else
      p.read_output();
  for (auto& client : clients) client.join();
  p.read_output();
  for (auto at = p.output().find("restarted because of"); at != std::string::npos;
       at = p.output().find("restarted because of", at + 1))
    ++deaths;
  std::printf("%u requests, %u failed (%.4f %%), %u hung, %zu deaths in %lld s\n", asked.load(),
              failed.load(), 100.0 * failed / std::max(1u, asked.load()), hung.load(), deaths,
              static_cast<long long>(length.count()));
  CHECK(asked > 0);
  CHECK(deaths > 0);
  CHECK(hung == 0);
  // A death costs at most the request that each client has under way.
  CHECK(failed <= 4 * deaths);
  p.signal(SIGTERM);
  CHECK(p.wait_exit().well());
}
