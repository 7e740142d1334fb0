#include "support/catch.hpp"

#include <coppice/runtime/lease/lease_recovery.hpp>

#include <cstring>
#include <random>
#include <string_view>

using namespace coppice;

namespace {

constexpr std::uint64_t id = 41;

/// A connection that has taken 100 bytes and written 50; the exchange in progress began at 60, and
/// 20 bytes are staged from 50 on.
struct scene {
  slot_head head{.lease = id + 1};
  lease_witness kernel{.taken = 100, .written = 50};
  protection level = protection::request;
  blame whose = blame::none;
  exchange_history before{.in_off = 60};

  explicit scene(lease_state state) {
    auto& record = now();
    record.in_off = 60;
    record.journal_base = 40;
    record.out_off = 50;
    record.staged = 20;
    record.in_end = 100;
    record.state = state.word();
  }
  lease_record& now() { return head.records[0]; }
  [[nodiscard]] lease_verdict verdict() const {
    return judge(head, id, kernel, level, whose, before);
  }
};

lease_state in(exchange_phase phase, bool replayable = false) {
  return {.phase = phase, .replayable = replayable};
}

} // namespace

TEST_CASE("a connection that was never taken goes to another worker as it is", "[lease]") {
  scene s{in(exchange_phase::reading)};
  s.head.lease = 7; // somebody's who had the slot before
  s.kernel = {};
  CHECK(s.verdict().fate == lease_fate::as_offered);
  s.kernel.taken = 1;
  CHECK(s.verdict().fate == lease_fate::reset);
}

TEST_CASE("a request that is not there whole goes on elsewhere, journal first", "[lease]") {
  const auto v = scene{in(exchange_phase::reading)}.verdict();
  CHECK(v.fate == lease_fate::goes_on);
  CHECK(v.next == in(exchange_phase::reading));
  CHECK(v.attempt == 1);
  CHECK(v.input.at == journal_offset + 20);
  CHECK(v.input.size == 40);
  CHECK(v.output.at == stage_offset);
  CHECK(v.output.size == 20);
}

TEST_CASE("an answer that is staged is completed from where it was cut", "[lease]") {
  scene s{in(exchange_phase::reading)};
  s.kernel.written = 63;
  CHECK(s.verdict().output.at == stage_offset + 13);
  CHECK(s.verdict().output.size == 7);
  s.kernel.written = 70;
  CHECK(s.verdict().output.size == 0);
  CHECK(s.verdict().fate == lease_fate::goes_on);
}

TEST_CASE("what cannot be true ends that connection", "[lease]") {
  const auto broken = [](auto change) {
    scene s{in(exchange_phase::reading)};
    change(s);
    const auto v = s.verdict();
    INFO(v.why);
    CHECK(std::string_view{v.why} != "");
    return v.fate == lease_fate::reset;
  };
  CHECK(broken([](scene& s) { s.kernel.written = 49; }));
  CHECK(broken([](scene& s) { s.kernel.written = 71; }));
  CHECK(broken([](scene& s) { s.now().staged = stage_size + 1; }));
  CHECK(broken([](scene& s) { s.now().journal_base = 61; }));
  CHECK(broken([](scene& s) { s.now().in_off = 101; }));
  CHECK(broken([](scene& s) { s.kernel.taken = 40 + journal_size + 1; }));
  CHECK(broken([](scene& s) { s.kernel.taken = 60 + limits::lease_input + 1; }));
  CHECK(broken([](scene& s) { s.now().state = 5; }));
  CHECK(broken([](scene& s) { s.now().state = 1u << 11; }));
  CHECK(broken([](scene& s) { s.now().state = lease_state{.spoilt = true}.word(); }));
  CHECK(broken([](scene& s) { s.kernel.fin_sent = true; }));
}

TEST_CASE("a request that its handler was at is run again if it may be", "[lease]") {
  scene s{in(exchange_phase::handling, true)};
  auto v = s.verdict();
  CHECK(v.fate == lease_fate::goes_on);
  CHECK(v.next == in(exchange_phase::reading));
  CHECK(v.attempt == 2);
  CHECK(v.input.size == 40);

  s.level = protection::connection;
  v = s.verdict();
  CHECK(v.next.phase == exchange_phase::abandoned);
  CHECK(v.next.why == abandoned_why::not_replayable);
  CHECK(v.output.size == 20); // the answer before it is completed all the same

  v = scene{in(exchange_phase::handling, false)}.verdict();
  CHECK(v.next.phase == exchange_phase::abandoned);
  CHECK(v.next.why == abandoned_why::not_replayable);
}

TEST_CASE("a streamed exchange is run again, given up or cut, by what the client has of it",
          "[lease]") {
  scene s{in(exchange_phase::streaming, true)};
  CHECK(s.verdict().next.phase == exchange_phase::reading);
  CHECK(s.verdict().attempt == 2);
  s.kernel.taken = 101; // received past the journal
  CHECK(s.verdict().next.phase == exchange_phase::abandoned);
  CHECK(s.verdict().input.size == 0);
  s.kernel.written = 70; // all that was staged before it
  CHECK(s.verdict().next.phase == exchange_phase::abandoned);
  s.kernel.written = 71;
  CHECK(s.verdict().fate == lease_fate::reset);
  CHECK(scene{in(exchange_phase::streaming, false)}.verdict().next.phase ==
        exchange_phase::abandoned);
}

TEST_CASE("a close that had begun is finished", "[lease]") {
  scene s{in(exchange_phase::closing)};
  s.kernel.taken = 1'000'000; // dropped, not kept
  auto v = s.verdict();
  CHECK(v.fate == lease_fate::goes_on);
  CHECK(v.next.phase == exchange_phase::closing);
  CHECK(v.output.size == 20);
  CHECK(v.input.size == 0);
  s.kernel.written = 70;
  s.kernel.fin_sent = true;
  v = s.verdict();
  CHECK(v.fate == lease_fate::goes_on);
  CHECK(v.output.size == 0);
  s.kernel.written = 60;
  CHECK(s.verdict().fate == lease_fate::reset);
  s.kernel.over = true;
  CHECK(s.verdict().fate == lease_fate::ended);
}

TEST_CASE("an exchange that kills is poison, one that is killed is not", "[lease]") {
  scene s{in(exchange_phase::handling, true)};
  s.whose = blame::crash;
  auto v = s.verdict();
  CHECK(v.next.phase == exchange_phase::reading);
  CHECK(v.history.crashes == 1);
  s.before = v.history;
  v = s.verdict();
  CHECK(v.next.phase == exchange_phase::abandoned);
  CHECK(v.next.why == abandoned_why::poison);

  s.before = {.in_off = 60};
  s.whose = blame::kill;
  for (std::uint32_t i = 1; i < limits::poison_kills; ++i) {
    v = s.verdict();
    CHECK(v.next.phase == exchange_phase::reading);
    s.before = v.history;
  }
  CHECK(s.verdict().next.why == abandoned_why::too_often);

  s.before = {.in_off = 60};
  s.whose = blame::none;
  for (std::uint32_t i = 1; i < limits::max_moves; ++i) {
    v = s.verdict();
    CHECK(v.next.phase == exchange_phase::reading);
    s.before = v.history;
  }
  CHECK(s.verdict().next.why == abandoned_why::too_often);
}

TEST_CASE("the next exchange begins with a clean history, and idle connections have none",
          "[lease]") {
  scene s{in(exchange_phase::handling, true)};
  s.before = {.in_off = 20, .moves = 63, .kills = 7, .crashes = 1};
  s.whose = blame::crash;
  CHECK(s.verdict().history.crashes == 1);
  CHECK(s.verdict().history.kills == 0);
  scene idle{in(exchange_phase::reading)};
  idle.before = {.in_off = 60, .moves = 1000};
  CHECK(idle.verdict().next.phase == exchange_phase::reading);
}

TEST_CASE("an abandoned exchange stays abandoned, for the same reason", "[lease]") {
  scene s{{.phase = exchange_phase::abandoned, .why = abandoned_why::poison}};
  CHECK(s.verdict().next.why == abandoned_why::poison);
  s.before.crashes = limits::poison_crashes;
  s.whose = blame::crash;
  CHECK(s.verdict().fate == lease_fate::reset);
}

TEST_CASE("whatever a worker wrote, a verdict's ranges lie within the slot", "[lease]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  int goes_on = 0;
  for (int round = 0; round < 200'000; ++round) {
    slot_head head;
    auto* const words = reinterpret_cast<std::uint64_t*>(&head);
    for (std::size_t i = 0; i < sizeof head / 8; ++i)
      words[i] = round % 2 == 0 ? random() : random() % 128; // near each other every other time
    head.lease = id + 1;
    const lease_witness kernel{.taken = random() % 200, .written = random() % 200};
    const auto v = judge(head, id, kernel, protection::request, blame::none, {});
    if (v.fate != lease_fate::goes_on) continue;
    ++goes_on;
    if (v.input.size > 0) {
      REQUIRE(v.input.at >= journal_offset);
      REQUIRE(v.input.at + v.input.size <= stage_offset);
    }
    if (v.output.size > 0) {
      REQUIRE(v.output.at >= stage_offset);
      REQUIRE(v.output.at + v.output.size <= slot_size);
    }
  }
  CHECK(goes_on > 0);
}

TEST_CASE("a crash of which nobody knows whose it was counts for all that were handled",
          "[lease]") {
  scene s{in(exchange_phase::handling, true)};
  s.whose = blame::suspect;
  for (std::uint32_t i = 1; i < limits::poison_kills; ++i) {
    const auto v = s.verdict();
    CHECK(v.next == in(exchange_phase::reading));
    CHECK(v.history.kills == i);
    CHECK(v.history.crashes == 0);
    s.before = v.history;
  }
  CHECK(s.verdict().next.why == abandoned_why::too_often);
  s.now().state = in(exchange_phase::reading).word(); // of which no handler knew
  CHECK(s.verdict().history.kills == limits::poison_kills - 1);
}

TEST_CASE("an exchange of which nothing is there yet is not to blame", "[lease]") {
  scene s{in(exchange_phase::reading)};
  s.whose = blame::crash;
  s.kernel.taken = s.now().in_off;
  CHECK(s.verdict().history.crashes == 0);
  s.kernel.taken = s.now().in_off + 1; // it may be its very first byte
  CHECK(s.verdict().history.crashes == 1);
}
