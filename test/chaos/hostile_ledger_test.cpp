// A worker that writes into its ledger what it likes. In one process: the test is the worker, and
// everything of the primary's that reads a ledger is real.
#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <coppice/runtime/lease/lease_table.hpp>
#include <coppice/runtime/lease/lease_writer.hpp>
#include <coppice/runtime/link/process_link.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/tcp_counters.hpp>

#include <coppice/actors/held_leases.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

using namespace coppice;
using namespace coppice::test;

namespace {

/// Its workers are processes that only wait: what they would say is written by the test.
class idle_spawner final : public spawner {
public:
  explicit idle_spawner(asio::io_context& loop) : loop_{loop} {}

  void spawn(spawn_request request, on_spawned done) override {
    last = std::move(request);
    const pid_t child = ::fork();
    if (child == 0)
      for (;;) ::pause();
    asio::post(loop_, [child, done = std::move(done)] { done(os::adopt_child(child)); });
  }
  void stop() override {}

  spawn_request last;

private:
  asio::io_context& loop_;
};

/// A link to a worker, and the worker's mapping of the ledger.
struct hostile_worker {
  explicit hostile_worker(const char* name)
      : link{loop, spawner, *log, {.group = "web", .name = name, .leases = true}} {
    link.start([this](link_event event) {
      if (std::holds_alternative<link_spawned>(event)) spawned = true;
      if (std::holds_alternative<link_exited>(event)) exited = true;
    });
    turn([&] { return spawned; });
    memory = std::move(spawner.last.ledger);
    at = static_cast<std::byte*>(
        ::mmap(nullptr, lease_file_size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0));
    REQUIRE(at != MAP_FAILED);
  }
  hostile_worker(const hostile_worker&) = delete;
  hostile_worker& operator=(const hostile_worker&) = delete;
  ~hostile_worker() { ::munmap(at, lease_file_size); }

  template <class Done>
  void turn(Done done) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!done()) {
      REQUIRE(std::chrono::steady_clock::now() < until);
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds{5});
    }
  }

  [[nodiscard]] ledger_header& header() { return *reinterpret_cast<ledger_header*>(at); }
  [[nodiscard]] lease_page& page() { return *reinterpret_cast<lease_page*>(at + lease_page_at); }
  [[nodiscard]] std::uint32_t& ring(std::size_t entry) {
    return reinterpret_cast<std::uint32_t*>(at + return_ring_at)[entry % limits::lease_slots];
  }
  [[nodiscard]] slot_head& head(std::uint32_t slot) {
    return *reinterpret_cast<slot_head*>(at + slot_at(slot));
  }

  asio::io_context loop;
  std::unique_ptr<logger> log = make_stderr_logger("test", log_level::off);
  idle_spawner spawner{loop};
  bool spawned = false, exited = false;
  process_link link;
  os::unique_fd memory;
  std::byte* at = nullptr;
};

/// Numbers as they break things: all bits, small ones, and those next to a bound.
struct evil_numbers {
  std::mt19937_64 random;

  std::uint64_t any() {
    constexpr std::uint64_t bounds[] = {
        0,         1,           limits::lease_slots, limits::lease_input, journal_size, stage_size,
        slot_size, 0x7fff'ffff, 0xffff'ffff,         1ull << 63,          ~0ull};
    switch (random() % 4) {
    case 0:
      return random();
    case 1:
      return random() % 300;
    default:
      return bounds[random() % std::size(bounds)] + random() % 5 - 2;
    }
  }
  void fill(void* to, std::size_t size) {
    for (std::size_t i = 0; i + 8 <= size; i += 8) {
      const std::uint64_t value = any();
      std::memcpy(static_cast<std::byte*>(to) + i, &value, sizeof value);
    }
  }
};

std::size_t open_files() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator{"/proc/self/fd"}) ++n;
  return n;
}

std::uint32_t seed() {
  const auto chosen = std::random_device{}();
  std::printf("seed %u\n", chosen);
  return chosen;
}

} // namespace

TEST_CASE("a worker can neither cut its ledger short nor unseal it") {
  hostile_worker w{"web/1"};
  CHECK(::ftruncate(w.memory.get(), 0) == -1);
  CHECK(errno == EPERM);
  CHECK(::ftruncate(w.memory.get(), static_cast<off_t>(lease_file_size + 1)) == -1);
  CHECK(errno == EPERM);
  CHECK(::fallocate(w.memory.get(), 0, 0, static_cast<off_t>(lease_file_size + 4096)) == -1);
  CHECK(errno == EPERM);
  // A seal of its own would make the primary's writes fail.
  CHECK(::fcntl(w.memory.get(), F_ADD_SEALS, F_SEAL_WRITE) == -1);
  CHECK(errno == EPERM);
  CHECK(::fcntl(w.memory.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == -1);
  CHECK(errno == EPERM);
}

TEST_CASE("returns that were not are refused, and those that were are read once") {
  hostile_worker w{"web/1"};
  CHECK(w.link.returned_leases().empty());
  w.ring(0) = ring_entry(7, lease_return::over);
  w.page().returned = 1;
  CHECK(w.link.returned_leases().size() == 1);
  CHECK(w.link.returned_leases().empty());
  for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{limits::lease_slots + 2},
                                    std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    w.page().returned = count; // fewer than before, or more than there are
    CHECK(w.link.returned_leases().empty());
  }
  w.page().returned = limits::lease_slots + 1; // all of them at once, in two pieces
  CHECK(w.link.returned_leases().size() == limits::lease_slots);
}

TEST_CASE("a lease that is returned twice, or is another's, frees nothing") {
  held_leases held;
  const auto mine = held.allot();
  held.hold({.id = 1, .socket = std::move(os::duplicate(0).value()), .lease = mine});
  for (const std::uint32_t entry : {0xffff'ffffu, 0xff'ffffu, mine, 5u, 1u << 24})
    if (slot_of(entry) != mine - 1) CHECK_FALSE(held.release(slot_of(entry)));
  CHECK(held.size() == 1);
  CHECK(held.release(mine - 1));
  CHECK_FALSE(held.release(mine - 1));
  CHECK(held.size() == 0);
  CHECK(held.allot() == mine); // vacant once, not twice
  CHECK(held.allot() != mine);
}

TEST_CASE("whatever is in a ledger, what goes on is a lease that the next worker can hold") {
  evil_numbers evil{std::mt19937_64{seed()}};
  hostile_worker w{"web/1"}, next{"web/2"};
  lease_table table{std::move(os::duplicate(next.memory.get()).value())};
  const auto listening = listen_on({.host = "127.0.0.1", .port = 0}).value();
  const auto where = local_endpoint(listening.get()).value();
  const auto before = open_files();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{2};
  long rounds = 0, moved = 0, cut = 0;
  for (std::uint64_t id = 1; std::chrono::steady_clock::now() < end || rounds < 500; ++id) {
    ++rounds;
    // The page, the ring and the header: counts that nothing is true of.
    evil.fill(&w.header(), sizeof(ledger_header));
    if (evil.random() % 2 == 0) w.header().version = ledger_version;
    evil.fill(&w.page(), sizeof(lease_page));
    for (int i = 0; i < 64; ++i) w.ring(evil.random()) = static_cast<std::uint32_t>(evil.any());
    (void)w.link.progress();
    (void)w.link.ask_for_room();
    (void)w.link.running_lease();
    REQUIRE(w.link.returned_leases().size() <= limits::lease_slots);

    // One connection, which has taken and written a little, and a slot that says anything of it.
    const auto client = connect_to(where);
    REQUIRE(await(listening.get(), POLLIN));
    auto server = accept_one(listening.get()).socket;
    REQUIRE(server);
    std::string sent(1 + evil.random() % 300, 'i');
    send_all(client, sent);
    REQUIRE(await(server.get(), POLLIN));
    const auto taken = ::recv(server.get(), sent.data(), evil.random() % sent.size(), MSG_DONTWAIT);
    const auto written = ::send(server.get(), sent.data(), evil.random() % sent.size(), 0);
    const auto slot = static_cast<std::uint32_t>(evil.random() % limits::lease_slots);
    slot_head& head = w.head(slot);
    evil.fill(&head, sizeof head);
    if (evil.random() % 8 != 0) head.lease = id + 1;
    if (evil.random() % 2 == 0) // nearly right
      for (auto& record : head.records) {
        record = {.in_off = static_cast<std::uint64_t>(taken) - evil.random() % 3,
                  .out_off = static_cast<std::uint64_t>(written) - evil.random() % 3,
                  .in_end = static_cast<std::uint64_t>(taken),
                  .staged = static_cast<std::uint32_t>(evil.random() % 5 * (stage_size / 4)),
                  .attempt = static_cast<std::uint32_t>(evil.any()),
                  .state = static_cast<std::uint32_t>(evil.random() % 6 | evil.random() % 8 << 8)};
        record.journal_base = record.in_off - evil.random() % 3;
      }
    offered_connection offered{.id = id, .socket = std::move(server), .lease = slot + 1};
    auto found = w.link.recover_lease(offered, static_cast<protection>(evil.random() % 3),
                                      static_cast<blame>(evil.random() % 3));
    if (!found.goes_on) {
      REQUIRE(*found.why_reset != '\0'); // nothing has ended these connections
      ++cut;
      continue;
    }
    if (!found.carried) continue;
    ++moved;
    REQUIRE(found.carried->input.size() <= limits::lease_input);
    REQUIRE(found.carried->output.size() <= stage_size);
    REQUIRE(next.link.put_lease(slot, id, *found.carried));
    auto lease = lease_writer::take(table.slot(slot).value(), id);
    REQUIRE(lease.moved());
    REQUIRE(lease.input() == found.carried->input);
    REQUIRE(lease.unsent() == found.carried->output);
  }
  std::printf("%ld rounds: %ld went on, %ld cut off\n", rounds, moved, cut);
  CHECK(moved > 0);
  CHECK(cut > 0);
  CHECK(open_files() <= before);
}

TEST_CASE("a connection on which its worker goes on, although it returned it, holds nobody up") {
  hostile_worker w{"web/1"};
  auto pair = make_tcp_pair();
  const auto stays = os::duplicate(pair.server.get()).value();
  offered_connection offered{.id = 3, .socket = std::move(pair.server), .lease = 1};
  w.head(0).lease = 4;
  const pid_t busy = ::fork();
  REQUIRE(busy >= 0);
  if (busy == 0) { // both ends, for ever
    char bytes[512] = {};
    for (;;) {
      (void)::send(stays.get(), bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
      (void)::send(pair.client.get(), bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
      (void)::recv(stays.get(), bytes, sizeof bytes, MSG_DONTWAIT);
      (void)::recv(pair.client.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    }
  }
  const os::child_process owner = os::adopt_child(busy).value();
  const auto found = w.link.recover_lease(offered, protection::request, blame::none);
  CHECK((found.goes_on ||
         *found.why_reset != '\0')); // it has been decided, whatever the numbers were
}
