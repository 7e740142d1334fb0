#include "support/catch.hpp"
#include "support/text.hpp"

#include <coppice/runtime/lease/ledger.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/memfd.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

using namespace coppice;
using namespace coppice::test;

namespace {

os::unique_fd make_memory(std::size_t size = ledger_size) {
  auto memory = os::sealed_memfd("coppice-ledger", size);
  REQUIRE(memory);
  return std::move(*memory);
}

ledger_reader reader_of(const os::unique_fd& memory) {
  return ledger_reader{os::duplicate(memory.get()).value()};
}

} // namespace

TEST_CASE("the primary reads what the worker counts", "[ledger]") {
  const auto memory = make_memory();
  const auto reader = reader_of(memory);
  CHECK(reader.read()->version == 0); // nobody has opened it
  CHECK(reader.read()->taken == 0);

  auto writer = ledger_writer::open(memory);
  REQUIRE(writer);
  CHECK_FALSE(writer->took_one());
  CHECK_FALSE(writer->took_one());
  writer->handed_back(5);
  writer->served(17);
  writer->beat(250, 4096 * 100, 3);
  const auto now = reader.read();
  REQUIRE(now);
  CHECK(now->version == ledger_version);
  CHECK(now->taken == 2);
  CHECK(now->handed_back == 5);
  CHECK(now->served == 17);
  CHECK(now->health.beats == 1);
  CHECK(now->health.lag_us == 250);
  CHECK(now->health.rss_bytes == 4096 * 100);
  CHECK(now->health.connections == 3);
}

TEST_CASE("a primary that asks is woken once", "[ledger]") {
  const auto memory = make_memory();
  auto reader = reader_of(memory);
  auto writer = ledger_writer::open(memory);
  REQUIRE(writer);
  reader.ask_to_be_woken();
  CHECK(writer->took_one());
  CHECK_FALSE(writer->took_one());
}

TEST_CASE("connections without a lease that are over are counted, and tell a primary that waits",
          "[ledger]") {
  const auto memory = make_memory();
  auto reader = reader_of(memory);
  auto writer = ledger_writer::open(memory);
  REQUIRE(writer);
  CHECK_FALSE(writer->ended_one());
  CHECK(reader.read()->ended == 1);
  reader.ask_to_be_woken();
  CHECK(writer->ended_one());
  CHECK_FALSE(writer->ended_one());
  CHECK(reader.read()->ended == 3);
}

TEST_CASE("a ledger survives the writer's move and outlives its descriptor", "[ledger]") {
  auto memory = make_memory();
  const auto reader = reader_of(memory);
  auto first = ledger_writer::open(memory);
  REQUIRE(first);
  memory.reset();
  ledger_writer second{std::move(*first)};
  second.served(1);
  CHECK(reader.read()->served == 1);
}

TEST_CASE("a worker cannot cut a ledger under the primary's feet", "[ledger]") {
  const auto memory = make_memory();
  CHECK(::ftruncate(memory.get(), 0) == -1);
  CHECK(errno == EPERM);
}

TEST_CASE("a worker refuses a ledger that could be cut, or is none", "[ledger]") {
  const os::unique_fd unsealed{::memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  REQUIRE(::ftruncate(unsealed.get(), ledger_size) == 0);
  CHECK(has(ledger_writer::open(unsealed).error().message(), "not sealed"));
  CHECK(has(ledger_writer::open(make_memory(16)).error().message(), "too short"));
  CHECK_FALSE(ledger_writer::open(os::unique_fd{}));
}

TEST_CASE("a short file and an unknown version are errors for the primary", "[ledger]") {
  CHECK(has(reader_of(make_memory(8)).read().error().message(), "too short"));
  const auto memory = make_memory();
  const std::uint32_t later = ledger_version + 1;
  REQUIRE(::pwrite(memory.get(), &later, sizeof later, 0) == sizeof later);
  CHECK(has(reader_of(memory).read().error().message(), "version is unknown"));
}

TEST_CASE("random bytes in a ledger are numbers or an error, never a crash", "[ledger]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const auto memory = make_memory();
  auto reader = reader_of(memory);
  for (int round = 0; round < 2000; ++round) {
    std::array<std::uint64_t, ledger_size / 8> bytes;
    for (auto& word : bytes) word = random();
    if (round % 2 == 0) std::memcpy(bytes.data(), &ledger_version, sizeof ledger_version);
    REQUIRE(::pwrite(memory.get(), bytes.data(), sizeof bytes, 0) == sizeof bytes);
    const auto now = reader.read();
    if (round % 2 == 0) {
      REQUIRE(now);
      CHECK(now->taken == bytes[offsetof(ledger_header, taken) / 8]);
    } else if (now) {
      CHECK(now->version <= ledger_version);
    }
    reader.ask_to_be_woken();
  }
}

// The race of the wake-up, as two threads that share only the file: the worker takes, the primary,
// out of credit, asks, looks once more and then sleeps until it is told. It must never sleep for
// good.
TEST_CASE("a primary that waits for room is never forgotten", "[ledger]") {
  constexpr std::uint64_t total = 200'000;
  constexpr std::uint64_t credit = 2;
  const auto memory = make_memory();
  auto reader = reader_of(memory);
  auto writer = ledger_writer::open(memory);
  REQUIRE(writer);
  std::atomic<std::uint64_t> offered{0};
  std::atomic<std::uint32_t> told{0};
  std::atomic<bool> gave_up{false};

  std::thread worker{[&] {
    std::uint64_t taken = 0;
    while (taken < total && !gave_up) {
      if (taken == offered.load()) {
        std::this_thread::yield();
        continue;
      }
      ++taken;
      if (writer->took_one()) {
        ++told;
        told.notify_one();
      }
    }
  }};

  std::uint64_t slept = 0;
  while (offered < total) {
    const auto heard = told.load(); // frames in the channel so far; a later one ends the wait below
    if (offered - reader.read()->taken < credit) {
      ++offered;
      continue;
    }
    reader.ask_to_be_woken();
    if (offered - reader.read()->taken < credit) continue;
    ++slept;
    // A lost wake-up would be seen here as a worker that has taken all while nobody was told.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (told.load() == heard && !gave_up) {
      std::this_thread::yield();
      if (std::chrono::steady_clock::now() > deadline) gave_up = true;
    }
    if (gave_up) break;
  }
  worker.join();
  INFO("slept " << slept << " times, was told " << told.load() << " times");
  CHECK_FALSE(gave_up);
  CHECK(reader.read()->taken == total);
}
