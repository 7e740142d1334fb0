#include "support/catch.hpp"

#include <coppice/actors/address_book.hpp>
#include <coppice/runtime/limits.hpp>

#include <string>
#include <vector>

using namespace coppice;

namespace {

/// The agent 1, web/1..3 as 2..4, api/1 as 5, and the primary.
address_book town() {
  address_book book;
  book.move_in({.id = 0, .name = "primary", .group = {}, .mailbox = {}});
  book.move_in({.id = 1, .name = "janitor", .group = "janitor", .mailbox = {}, .ready = true});
  for (std::uint64_t i = 1; i <= 3; ++i)
    book.move_in({.id = i + 1,
                  .name = "web/" + std::to_string(i),
                  .group = "web",
                  .mailbox = {},
                  .ready = true});
  book.move_in({.id = 5, .name = "api/1", .group = "api", .mailbox = {}, .ready = true});
  return book;
}

using ids = std::vector<std::uint64_t>;

ids whom(address_book& book, const wire::address& to, std::uint64_t sender = 99) {
  std::vector<resident*> found;
  book.resolve(to, sender, found);
  ids all;
  for (const auto* one : found) all.push_back(one->id);
  return all;
}
ids whom(address_book& book, std::string_view name, std::uint64_t sender = 99) {
  return whom(book, wire::address{.id = 0, .name = name}, sender);
}

} // namespace

TEST_CASE("each kind of address reaches those whom it names") {
  auto book = town();
  CHECK(whom(book, wire::address{.id = 3, .name = {}}) == ids{3});
  CHECK(whom(book, wire::address{.id = 0, .name = {}}) == ids{0});
  CHECK(whom(book, wire::address{.id = 77, .name = {}}).empty());
  CHECK(whom(book, "web/2") == ids{3});
  CHECK(whom(book, "janitor") == ids{1});
  CHECK(whom(book, "primary") == ids{0});
  CHECK(whom(book, "web/*", 2) == ids{2, 3, 4});
  CHECK(whom(book, "*", 2) == ids{1, 3, 4, 5});
  for (const auto* nobody : {"nobody", "web/7", "nobody/*", "/*", "topic:", "topic:tea", "web/"})
    CHECK(whom(book, nobody).empty());
}

TEST_CASE("a group's workers have their turns; who is down or full is passed over") {
  auto book = town();
  ids turns;
  for (int i = 0; i < 4; ++i) turns.push_back(whom(book, "web").front());
  CHECK(turns == ids{2, 3, 4, 2});
  book.find(3)->ready = false;
  CHECK(whom(book, "web") == ids{4});
  CHECK(whom(book, "web") == ids{2});
  book.find(4)->full = true;
  CHECK(whom(book, "web") == ids{2});
  book.find(2)->ready = false;
  CHECK(whom(book, "web") == ids{4}); // full, but there
  book.find(4)->ready = false;
  const auto first = whom(book, "web"); // nobody is there: it waits at somebody's
  REQUIRE(first.size() == 1);
  CHECK(whom(book, "web") != first);
}

TEST_CASE("topics have subscribers, once each, until they unsubscribe or move out") {
  auto book = town();
  REQUIRE(book.subscribe(4, "tea"));
  REQUIRE(book.subscribe(2, "tea"));
  REQUIRE(book.subscribe(4, "tea"));
  CHECK(whom(book, "topic:tea", 4) == ids{4, 2});
  book.unsubscribe(4, "tea");
  book.unsubscribe(4, "coffee");
  CHECK(whom(book, "topic:tea") == ids{2});
  book.move_out(2);
  CHECK(whom(book, "topic:tea").empty());
  CHECK(whom(book, "web/1").empty());
  CHECK(whom(book, "web/*") == ids{3, 4});
  CHECK(book.find(2) == nullptr);
  book.move_out(2);
}

TEST_CASE("there are no more topics than may be") {
  address_book book = town();
  for (std::size_t i = 0; i < limits::topics; ++i) REQUIRE(book.subscribe(2, std::to_string(i)));
  CHECK_FALSE(book.subscribe(2, "one more"));
  CHECK(book.subscribe(3, "7")); // that one there is
  book.unsubscribe(2, "8");
  CHECK(book.subscribe(2, "one more"));
}

TEST_CASE("open asks know who waits for whom") {
  open_asks asks;
  const std::uint64_t third = std::uint64_t{3} << 32U; // the asker's incarnation
  REQUIRE(asks.open({7, third + 1}, 1));
  REQUIRE(asks.open({7, third + 2}, 2));
  REQUIRE(asks.open({8, third + 1}, 1));
  CHECK_FALSE(asks.close({7, third + 2}, 1)); // it was given to another process
  CHECK_FALSE(asks.close({9, third + 1}, 1));
  CHECK(asks.close({7, third + 2}, 2));
  CHECK_FALSE(asks.close({7, third + 2}, 2)); // once
  asks.forget(8, 4);
  CHECK(asks.size() == 2);
  asks.forget(8, 3);
  CHECK(asks.size() == 1);
  CHECK(asks.abandon(2).empty());
  CHECK(asks.abandon(1) == std::vector<ask_key>{{7, third + 1}});
  CHECK(asks.size() == 0);
  for (std::uint64_t i = 1; i <= limits::open_asks; ++i) REQUIRE(asks.open({7, i}, 1));
  CHECK_FALSE(asks.open({8, 1}, 1));
  asks.drop({7, 1});
  CHECK(asks.open({8, 1}, 1));
}
