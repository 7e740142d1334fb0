#include "support/catch.hpp"
#include "support/log_lines.hpp"

#include <coppice/actors/mail_sorter.hpp>
#include <coppice/runtime/messages/own_messages.hpp>

#include <map>
#include <msgpack.hpp>
#include <string>

using namespace coppice;

namespace {

/// web/1..3 are 2..4; worker 2 sends, in its 5th incarnation.
struct office {
  test::log_lines log;
  post_office post{log};
  mail_sorter sorter{post, {2, 5}};

  office() {
    post.book.move_in({.id = 0, .name = "primary", .group = {}, .mailbox = {}, .ready = true});
    for (std::uint64_t i = 1; i <= 3; ++i)
      post.book.move_in({.id = i + 1,
                         .name = "web/" + std::to_string(i),
                         .group = "web",
                         .mailbox = {},
                         .ready = true});
  }

  struct letter {
    std::string type;
    wire::address to{};
    std::uint64_t from = 2;
    wire::envelope_meta meta{};
    std::string value = "x";
  };
  /// What goes to whom, each message as "type" or "type!ask", runs apart by '|'.
  std::map<std::uint64_t, std::string> sort(const std::vector<letter>& letters) {
    std::vector<std::byte> frames;
    std::vector<std::size_t> sizes;
    for (const auto& each : letters) {
      msgpack::sbuffer packed;
      msgpack::pack(packed, each.value);
      wire::buffer about;
      const auto before = frames.size();
      wire::append_envelope({each.type,
                             {.id = each.from, .name = {}},
                             each.to,
                             {reinterpret_cast<const std::byte*>(packed.data()), packed.size()},
                             wire::encode_meta(each.meta, about)},
                            frames);
      sizes.push_back(frames.size() - before);
    }
    const auto memory = std::make_shared<const std::vector<std::byte>>(std::move(frames));
    std::vector<std::span<const std::byte>> bodies;
    std::size_t at = 0;
    for (const auto size : sizes) {
      bodies.push_back(std::span{*memory}.subspan(at + 4, size - 4));
      at += size;
    }
    REQUIRE(sorter.sort(memory, bodies));
    return delivered();
  }
  std::map<std::uint64_t, std::string> delivered() {
    std::map<std::uint64_t, std::string> all;
    sorter.deliver([&](const resident& to, mail letters) {
      auto& text = all[to.id];
      for (const auto& run : letters.runs()) {
        if (!text.empty()) text += " | ";
        std::string sep;
        for_each_message(run, [&](const mail_run& one, const auto& head, const auto& meta) {
          text += sep + std::string{head.type};
          sep = " ";
          if (!one.asks.empty()) text += "?" + std::to_string(one.asks.front());
          if (one.only_for != 0) text += "@" + std::to_string(one.only_for);
          if (!meta.failure.empty()) text += "!" + std::string{meta.failure};
          CHECK(head.from.id == one.sender);
        });
      }
    });
    return all;
  }
};

using to_whom = std::map<std::uint64_t, std::string>;

wire::address named(std::string_view name) { return {.id = 0, .name = name}; }
wire::address numbered(std::uint64_t id) { return {.id = id, .name = {}}; }

} // namespace

TEST_CASE("what follows each other to one destination stays one run") {
  office o;
  CHECK(
      o.sort({{"a", numbered(3)}, {"b", named("web/2")}, {"c", numbered(4)}, {"d", numbered(3)}}) ==
      to_whom{{3, "a b | d"}, {4, "c"}});
}

TEST_CASE("a message for several goes to each of them") {
  office o;
  REQUIRE(o.post.book.subscribe(4, "tea"));
  CHECK(o.sort({{"all", named("web/*")}, {"others", named("*")}, {"tea", named("topic:tea")}}) ==
        to_whom{{2, "all"}, {3, "all others"}, {4, "all others tea"}});
}

TEST_CASE("the sender's name is what the primary knows") {
  office o;
  CHECK(o.sort({{"a", numbered(3)}, {"forged", numbered(3), 4}, {"b", numbered(3)}}) ==
        to_whom{{3, "a | forged | b"}}); // delivered() looks at each `from`
}

TEST_CASE("a message to nobody is a dead letter, and an ask is told") {
  office o;
  CHECK(o.sort({{"a", named("nobody")},
                {"b", numbered(99), 2, {.ask = (std::uint64_t{5} << 32U) + 1}}}) ==
        to_whom{{2, "coppice.failure@5!no_such_address"}});
  CHECK(o.post.dead.count(dead_letter::no_such_address) == 2);
  CHECK(o.log.has("message 'a' from 2 to nobody is not delivered: no such address (seen 1 times)"));
}

TEST_CASE("an answer goes to the process that asked, once, and only from whom it was asked") {
  office o;
  const std::uint64_t ask = (std::uint64_t{9} << 32U) + 1; // by the asker's 9th incarnation
  auto& own = *o.post.book.find(2);
  REQUIRE(own.asks->open({4, ask}, 5));
  REQUIRE(own.asks->open({4, ask + 1}, 4)); // the process before this one had it
  CHECK(o.sort({{answer_type.data(), numbered(4), 2, {.answers = ask}}}) ==
        to_whom{{4, "coppice.answer@9"}});
  CHECK(o.sort({{answer_type.data(), numbered(4), 2, {.answers = ask}},
                {answer_type.data(), numbered(3), 2, {.answers = ask + 1}},
                {answer_type.data(), named("web/3"), 2, {.answers = ask + 1}},
                {answer_type.data(), numbered(4), 2, {.answers = ask + 1}}})
            .empty());
  CHECK(o.post.dead.count(dead_letter::unasked) == 4);
}

TEST_CASE("an ask keeps its number with it") {
  office o;
  CHECK(o.sort({{"a", numbered(3)}, {"b", numbered(3), 2, {.ask = 7}}}) == to_whom{{3, "a b?7"}});
}

TEST_CASE("what is asked of the primary itself is done, and nothing else has such a type") {
  office o;
  CHECK(o.sort({{subscribe_type.data(), numbered(0), 2, {}, "tea"}}).empty());
  CHECK(o.sort({{"x", named("topic:tea")}}) == to_whom{{2, "x"}});
  CHECK(o.sort({{unsubscribe_type.data(), numbered(0), 2, {}, "tea"}}).empty());
  CHECK(o.sort({{"x", named("topic:tea")}}).empty());
  CHECK(o.post.dead.count(dead_letter::reserved) == 0);
  CHECK(o.sort({{last_type.data(), numbered(3)},
                {"coppice.other", numbered(0)},
                {subscribe_type.data(), numbered(0), 2, {}, ""}})
            .empty());
  CHECK(o.post.dead.count(dead_letter::reserved) == 3);
}

TEST_CASE("a frame that breaks the grammar is an error, and those before it are sorted") {
  office o;
  std::vector<std::byte> frames;
  const std::byte nil{0xc0};
  wire::append_envelope({"a", numbered(2), numbered(3), {&nil, 1}, {}}, frames);
  const auto size = frames.size();
  wire::append_frame(frames, {&nil, 1});
  const auto memory = std::make_shared<const std::vector<std::byte>>(std::move(frames));
  const std::span<const std::byte> bodies[] = {std::span{*memory}.subspan(4, size - 4),
                                               std::span{*memory}.subspan(size + 4)};
  const auto sorted = o.sorter.sort(memory, bodies);
  REQUIRE_FALSE(sorted);
  CHECK(sorted.error().message() == "decode envelope: it is not an array of 4 or 5");
  CHECK(o.delivered() == to_whom{{3, "a"}});
}
