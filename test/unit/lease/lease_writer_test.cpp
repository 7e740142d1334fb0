#include "slot_memory.hpp"

#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <utility>

using namespace coppice;
using namespace coppice::test;

namespace {

/// The kernel's part, in memory: what the client has sent, what it has got, and who is asked when a
/// worker has died.
struct played_kernel {
  std::string sent{}; ///< by the client, ever
  std::uint64_t taken = 0;
  std::string got{}; ///< by the client, ever
  [[nodiscard]] lease_witness witness() const { return {.taken = taken, .written = got.size()}; }
  void receive(lease_writer& lease, std::size_t most) {
    const auto room = lease.room();
    const std::size_t n =
        std::string_view{sent}.substr(taken).copy(room.data(), std::min(room.size(), most));
    taken += n;
    lease.received(n);
  }
  void send(lease_writer& lease, std::size_t most) {
    const auto piece = lease.unsent().substr(0, most);
    got += piece;
    lease.sent(piece.size());
  }
};

std::string answer_to(std::string_view line) {
  return "<" + std::string(line.size() * 3, line[0]) + std::string{line} + ">";
}

/// Moves the lease to another slot, as the primary does when its worker has died.
lease_writer move_on(slot_memory& memory, const played_kernel& kernel, std::uint32_t from,
                     std::uint32_t to, std::uint64_t id, std::uint64_t next_id) {
  const auto head = memory.reader.head(from).value();
  const auto verdict = judge(head, id, kernel.witness(), protection::request, blame::none, {});
  INFO(verdict.why);
  REQUIRE(verdict.fate == lease_fate::goes_on);
  const auto carried = memory.reader.carry(from, verdict).value();
  REQUIRE(memory.reader.put(to, next_id, carried));
  return lease_writer::take(memory.slot(to), next_id);
}

} // namespace

TEST_CASE("a slot that somebody else had is begun anew", "[lease]") {
  slot_memory memory;
  played_kernel kernel{.sent = "old\n"};
  auto before = lease_writer::take(memory.slot(3), 8);
  kernel.receive(before, 100);
  REQUIRE(before.reply(4, {}, true));
  const auto lease = lease_writer::take(memory.slot(3), 9);
  CHECK(lease.input().empty());
  CHECK(lease.unsent().empty());
  CHECK(lease.state() == lease_state{});
  CHECK(memory.reader.head(3)->lease == 10);
}

TEST_CASE("input that is not consumed stays while the journal begins anew", "[lease]") {
  slot_memory memory;
  played_kernel kernel;
  for (int i = 0; kernel.sent.size() < 4 * journal_size; ++i)
    kernel.sent += std::to_string(i) + ",";
  auto lease = lease_writer::take(memory.slot(0), 0);
  std::string seen;
  while (seen.size() + lease.input().size() < kernel.sent.size()) {
    kernel.receive(lease, 5000);
    REQUIRE_FALSE(lease.input().empty());
    const std::size_t n = (lease.input().size() + 1) / 2; // half of it stays
    seen += lease.input().substr(0, n);
    REQUIRE(lease.reply(n, {}, false));
  }
  seen += lease.input();
  CHECK(seen == kernel.sent);
}

TEST_CASE("no more is received than the journal keeps", "[lease]") {
  slot_memory memory;
  played_kernel kernel{.sent = std::string(100'000, 'x')};
  auto lease = lease_writer::take(memory.slot(0), 0);
  while (!lease.room().empty()) kernel.receive(lease, 3000);
  CHECK(lease.input().size() == limits::lease_input);
}

TEST_CASE("answers share the stage until it is full", "[lease]") {
  slot_memory memory;
  played_kernel kernel{.sent = std::string(1000, 'x')};
  auto lease = lease_writer::take(memory.slot(0), 0);
  kernel.receive(lease, 1000);
  const std::string half(stage_size / 2, 'h');
  const std::string_view piece = half;
  CHECK(lease.reply(1, {&piece, 1}, false));
  CHECK(lease.reply(1, {&piece, 1}, false));
  CHECK_FALSE(lease.reply(1, {&piece, 1}, false));
  CHECK(lease.input().size() == 998);
  kernel.send(lease, half.size() + 10); // what is left moves to the front
  CHECK(lease.reply(1, {&piece, 1}, false));
  while (!lease.unsent().empty()) kernel.send(lease, 1000);
  CHECK(kernel.got == half + half + half);
}

TEST_CASE("a 1xx goes out before its answer and once", "[lease]") {
  slot_memory memory;
  played_kernel kernel{.sent = "ab"};
  auto lease = lease_writer::take(memory.slot(0), 0);
  kernel.receive(lease, 2);
  REQUIRE(lease.interim("100;"));
  CHECK(lease.state().interim_sent);
  lease = move_on(memory, kernel, 0, 1, 0, 1);
  CHECK(lease.state().interim_sent);
  const std::string_view answer = "200;";
  REQUIRE(lease.reply(2, {&answer, 1}, false));
  CHECK_FALSE(lease.state().interim_sent);
  kernel.send(lease, 100);
  CHECK(kernel.got == "100;200;");
}

TEST_CASE("an exchange leaves the slot and comes back to it", "[lease]") {
  slot_memory memory;
  played_kernel kernel{.sent = "request,next"};
  auto lease = lease_writer::take(memory.slot(0), 0);
  kernel.receive(lease, 100);
  lease.handling(true);
  lease.expose(false);
  CHECK(lease.exposed());
  kernel.got += "large";
  lease.sent_past(5);
  REQUIRE(lease.cover("next", " answer,"));
  CHECK_FALSE(lease.exposed());
  CHECK(lease.input() == "next");
  CHECK(lease.unsent() == " answer,");
  lease = move_on(memory, kernel, 0, 1, 0, 1);
  CHECK(lease.input() == "next");
  CHECK(lease.attempt() == 1);
  kernel.send(lease, 100);
  CHECK(kernel.got == "large answer,");
  CHECK_FALSE(lease.cover(std::string(limits::lease_input + 1, 'x'), ""));
}

TEST_CASE("the primary learns which leases were returned, and how", "[lease]") {
  slot_memory memory;
  REQUIRE(memory.slot(0) != nullptr);
  CHECK(memory.reader.returned()->empty());
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < limits::lease_slots - 5; ++i)
      memory.table.give_back(i, i % 2 == 0 ? lease_return::over : lease_return::alive, 0);
    const auto entries = memory.reader.returned().value();
    REQUIRE(entries.size() == limits::lease_slots - 5);
    for (std::uint32_t i = 0; i < entries.size(); ++i) {
      REQUIRE(slot_of(entries[i]) == i);
      REQUIRE(returned_alive(entries[i]) == (i % 2 != 0));
    }
  }
  CHECK(memory.reader.returned()->empty());
  for (std::uint32_t i = 0; i < limits::lease_slots + 1; ++i)
    memory.table.give_back(0, lease_return::over, 0);
  CHECK_FALSE(memory.reader.returned());
}

TEST_CASE("the handler that runs has a name", "[lease]") {
  slot_memory memory;
  REQUIRE(memory.slot(0) != nullptr);
  memory.table.runs(6);
  CHECK(memory.reader.page()->running == 7);
  memory.table.runs_none();
  CHECK(memory.reader.page()->running == 0);
}

TEST_CASE("a ledger without leases gives no slot", "[lease]") {
  lease_table table{std::move(os::sealed_memfd("coppice-ledger", 4096).value())};
  CHECK_FALSE(table.slot(0));
  slot_memory memory;
  CHECK_FALSE(memory.table.slot(limits::lease_slots));
}

// Random weather: lines come in pieces, answers leave in pieces, the connection moves from slot to
// slot at any point in between. Every line is answered once, in order.
TEST_CASE("a connection keeps its stream through any number of moves", "[lease]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  slot_memory memory;
  for (int world = 0; world < 40; ++world) {
    played_kernel kernel;
    std::string want;
    for (int i = 0; i < 300; ++i) {
      std::string line(1 + random() % 40, static_cast<char>('a' + i % 26));
      if (random() % 20 == 0) line.append(random() % 4000, 'z');
      want += answer_to(line + "\n");
      kernel.sent += line + "\n";
    }
    std::uint64_t id = 1000;
    std::uint32_t slot = 0;
    auto lease = lease_writer::take(memory.slot(slot), id);
    unsigned moves = 0;
    while (kernel.got.size() < want.size()) {
      switch (random() % 8) {
      case 0: { // the worker dies
        const std::uint32_t to = (slot + 1) % 3;
        lease = move_on(memory, kernel, slot, to, id, id + 1);
        slot = to;
        ++id;
        ++moves;
        break;
      }
      case 1:
      case 2:
        kernel.receive(lease, random() % 3000);
        break;
      case 3:
      case 4:
        kernel.send(lease, random() % 6000);
        break;
      default:
        if (const auto end = lease.input().find('\n'); end != std::string_view::npos) {
          if (random() % 2 == 0) {
            lease.handling(true);
            if (random() % 4 == 0) break; // dies, or goes on, with it in progress
          }
          const std::string answer = answer_to(lease.input().substr(0, end + 1));
          const std::string_view piece = answer;
          (void)lease.reply(end + 1, {&piece, 1}, false); // no room: later
        }
      }
      REQUIRE(want.compare(0, kernel.got.size(), kernel.got) == 0);
    }
    CHECK(moves > 0);
  }
}
