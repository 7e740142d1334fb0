#include "support/catch.hpp"

#include <array>
#include <coppice/actors/untaken.hpp>
#include <fcntl.h>

using namespace coppice;

namespace {

untaken with_offers(std::uint64_t n) {
  untaken u;
  for (std::uint64_t id = 0; id < n; ++id) u.add({id, 0, os::unique_fd{}});
  return u;
}

std::vector<std::uint64_t> ids(const std::vector<offered_connection>& connections) {
  std::vector<std::uint64_t> out;
  for (const auto& c : connections) out.push_back(c.id);
  return out;
}

constexpr link_progress taken(std::uint64_t n, std::uint64_t handed_back = 0) {
  return {.taken = n, .handed_back = handed_back};
}

std::size_t settle(untaken& u, const link_progress& now) {
  return u.settle(now, [](offered_connection) {});
}

} // namespace

TEST_CASE("what the ledger counts as taken is settled once, in the order offered") {
  auto u = with_offers(5);
  CHECK(settle(u, taken(2)) == 2);
  CHECK(settle(u, taken(2)) == 0);
  CHECK(settle(u, taken(3)) == 1);
  CHECK(ids(u.take_all()) == std::vector<std::uint64_t>{3, 4});
}

TEST_CASE("a refused connection comes back, and those taken after it are told apart from it") {
  auto u = with_offers(4);
  // The worker took 0, refused 1, took 2; the frame about 1 is still on its way.
  CHECK(settle(u, taken(2, 1)) == 0);
  const std::array<std::uint64_t, 1> refused{1};
  CHECK(ids(u.take_back(refused)) == std::vector<std::uint64_t>{1});
  CHECK(settle(u, taken(2, 1)) == 2);
  CHECK(ids(u.take_all()) == std::vector<std::uint64_t>{3});
}

TEST_CASE("a worker that died between counting a refusal and telling it keeps the order") {
  auto u = with_offers(3);
  CHECK(u.settle_dead(taken(1, 1), [](offered_connection) {}) == 1);
  CHECK(ids(u.take_all()) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("ids that were never offered, and counters that lie, harm nobody else") {
  auto u = with_offers(2);
  const std::array<std::uint64_t, 3> forged{77, 0, 0};
  CHECK(ids(u.take_back(forged)) == std::vector<std::uint64_t>{0});
  CHECK(settle(u, taken(UINT64_MAX, 3)) == 1);
  CHECK(u.empty());
  CHECK(settle(u, taken(0)) == 0); // a counter that runs backwards
}
