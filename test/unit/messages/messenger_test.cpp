// The messenger of one worker, with an outlet that keeps its frames.
#include "support/catch.hpp"
#include "support/log_lines.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/messages/messenger.hpp>
#include <coppice/runtime/wire/frame.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <deque>
#include <optional>
#include <string>

using namespace coppice;
using namespace std::chrono_literals;

namespace {

/// Worker 7 in its 3rd incarnation, and what it has sent.
struct desk {
  asio::io_context loop{1};
  test::log_lines log;
  std::deque<std::vector<std::byte>> sent; ///< bodies
  bool open = true;
  std::size_t waiting = 0; ///< on the way
  std::vector<std::string> thrown;
  messenger m{messenger::parts{.loop = &loop,
                               .id = 7,
                               .incarnation = 3,
                               .out =
                                   [this](std::span<const std::byte> frame) {
                                     if (open)
                                       sent.emplace_back(frame.begin() + wire::frame_prefix_size,
                                                         frame.end());
                                     return open;
                                   },
                               .unsent = [this] { return waiting; },
                               .thrown =
                                   [this](const std::exception_ptr& escaped) {
                                     try {
                                       std::rethrow_exception(escaped);
                                     } catch (const std::exception& it) {
                                       thrown.emplace_back(it.what());
                                     }
                                   },
                               .log = &log}};

  /// The oldest that has not been looked at.
  message take() {
    REQUIRE_FALSE(sent.empty());
    const auto parsed = message::parse(sent.front());
    REQUIRE(parsed);
    message first{*parsed};
    sent.pop_front();
    return first;
  }
  template <class Value>
  void come(std::string_view type, const Value& value, wire::envelope_meta meta = {}) {
    msgpack::sbuffer packed;
    msgpack::pack(packed, value);
    wire::buffer about;
    std::vector<std::byte> frame;
    wire::append_envelope({type,
                           {.id = 2, .name = {}},
                           {.id = 7, .name = {}},
                           {reinterpret_cast<const std::byte*>(packed.data()), packed.size()},
                           wire::encode_meta(meta, about)},
                          frame);
    const std::span<const std::byte> body = std::span{frame}.subspan(wire::frame_prefix_size);
    REQUIRE(m.receive({&body, 1}));
  }
  /// What `ask` is answered with, as a word.
  messenger::on_answer into(std::optional<std::string>& said) {
    return [&said](const ask_result& got) {
      REQUIRE_FALSE(said); // once
      said = got ? got->as<std::string>() : std::string{to_string(got.error())};
    };
  }
  void settle() {
    loop.restart();
    while (loop.poll() > 0) loop.restart();
  }
};

} // namespace

TEST_CASE("what is sent carries type, sender, address and value") {
  desk d;
  CHECK(d.m.send("web/2", "flush", std::vector<int>{1, 2}) == send_result::sent);
  CHECK(d.m.publish("prices", "tea", 3.5) == send_result::sent);
  const auto first = d.take();
  CHECK(first.type() == "flush");
  CHECK(first.from() == 7);
  CHECK(first.to() == address{"web/2"});
  CHECK(first.as<std::vector<int>>() == std::vector<int>{1, 2});
  CHECK_FALSE(first.is_ask());
  CHECK(d.take().to() == address{"topic:prices"});
}

TEST_CASE("what cannot be sent is an error that says why") {
  desk d;
  CHECK_THROWS_WITH(d.m.send(1, "", 1), "message: its type has 0 bytes, and must have 1 to 255");
  CHECK_THROWS_WITH(d.m.send(1, "coppice.last", 1),
                    "message 'coppice.last': types that begin with 'coppice.' are reserved");
  CHECK_THROWS_AS(d.m.send(1, "big", std::string(limits::envelope, 'x')), std::length_error);
  CHECK_THROWS_AS(d.m.send(std::string(256, 'n'), "x", 1), std::length_error);
  CHECK_THROWS_AS(d.m.on("coppice.x", [](const message&) {}), std::invalid_argument);
  CHECK_THROWS_WITH(d.m.ask(1, "x", 1, 0ms, [](const ask_result&) {}),
                    "ask 'x': a timeout of 0 ms, it must be above 0 and at most a day");
  CHECK(d.sent.empty());
  d.open = false;
  CHECK(d.m.send(1, "x", 1) == send_result::closed);
}

TEST_CASE("an ask is answered by its number") {
  desk d;
  std::optional<std::string> one, two;
  d.m.ask("web", "who", 1, 10s, d.into(one));
  d.m.ask("web", "who", 2, 10s, d.into(two));
  const auto first = d.take(), second = d.take();
  CHECK(first.is_ask());
  CHECK(wire::asker_incarnation(first.meta().ask) == 3);
  CHECK(first.meta().ask != second.meta().ask);
  d.come(answer_type, std::string{"b"}, {.answers = second.meta().ask});
  d.settle();
  CHECK_FALSE(one);
  CHECK(two == "b");
  d.come(failure_type, std::string{}, {.answers = first.meta().ask, .failure = "worker_died"});
  d.settle();
  CHECK(one == "worker_died");
  d.come(answer_type, std::string{"late"}, {.answers = first.meta().ask}); // is nobody's
  d.settle();
}

TEST_CASE("an ask never hangs") {
  desk d;
  std::optional<std::string> said;
  SECTION("nobody answers") {
    d.m.ask("web", "who", 1, 1ms, d.into(said));
    d.loop.run_for(10s); // no work is left once it is over
    CHECK(said == "timeout");
    const auto asked = d.take();
    const auto forget = d.take(); // nor need the primary wait
    CHECK(forget.type() == forget_type);
    CHECK(forget.as<std::uint64_t>() == asked.meta().ask);
  }
  SECTION("the channel is closed before") {
    d.open = false;
    d.m.ask("web", "who", 1, 10s, d.into(said));
    CHECK_FALSE(said); // not from inside
    d.settle();
    CHECK(said == "closed");
  }
  SECTION("the channel is closed after") {
    d.m.ask("web", "who", 1, 10s, d.into(said));
    d.m.close();
    d.settle();
    CHECK(said == "closed");
    CHECK(d.m.send("web", "x", 1) == send_result::closed);
  }
  SECTION("it is asked again when the channel is closed") {
    d.m.ask("web", "who", 1, 10s, [&](const ask_result& first) {
      CHECK(first.error() == ask_error::closed);
      d.m.ask("web", "who", 1, 10s, d.into(said));
    });
    d.m.close();
    CHECK_FALSE(said);
    d.settle();
    CHECK(said == "closed");
  }
  SECTION("there is no room") {
    d.m.room_changed("web", false);
    d.m.ask("web", "who", 1, 10s, d.into(said));
    d.settle();
    CHECK(said == "overloaded");
    CHECK(d.sent.empty());
  }
  SECTION("it is cancelled") {
    asio::cancellation_signal stop;
    d.m.ask("web", "who", 1, 10s, asio::bind_cancellation_slot(stop.slot(), d.into(said)));
    stop.emit(asio::cancellation_type::terminal);
    d.settle();
    CHECK(said == "cancelled");
    stop.emit(asio::cancellation_type::terminal); // means nothing any more
    d.settle();
  }
}

TEST_CASE("what a coroutine cannot ask is an exception that it can catch") {
  desk d;
  std::string caught;
  asio::co_spawn(
      d.loop,
      [&]() -> asio::awaitable<void> {
        try {
          (void)co_await d.m.ask("web", "who", 1, 0ms, asio::use_awaitable);
        } catch (const std::invalid_argument& wrong) {
          caught = wrong.what();
        }
      },
      asio::detached);
  d.settle();
  CHECK(caught == "ask 'who': a timeout of 0 ms, it must be above 0 and at most a day");
  CHECK_THROWS_AS(d.m.ask(std::string(256, 'n'), "x", 1, 1s, [](const ask_result&) {}),
                  std::length_error);
  d.m.close(); // nothing is left of it
}

TEST_CASE("a coroutine awaits its answer") {
  desk d;
  std::string said;
  asio::co_spawn(
      d.loop,
      [&]() -> asio::awaitable<void> {
        auto asking =
            d.m.ask("web", std::string{"who"}, std::string{"x"}, 10s, asio::use_awaitable);
        const auto got = co_await std::move(asking); // what it was made from is gone by now
        said = got->as<std::string>();
      },
      asio::detached);
  d.settle();
  const auto asked = d.take();
  CHECK(asked.as<std::string>() == "x");
  d.come(answer_type, std::string{"me"}, {.answers = asked.meta().ask});
  d.settle();
  CHECK(said == "me");
}

TEST_CASE("messages go to the handler of their type, others to on_any, and are answered") {
  desk d;
  std::vector<std::string> seen;
  d.m.on("a", [&](const message& m) { seen.push_back("first " + m.as<std::string>()); });
  d.m.on("a", [&](const message& m) { seen.push_back("a " + m.as<std::string>()); });
  d.come("a", std::string{"1"});
  d.come("b", std::string{"2"}, {.ask = 5});
  CHECK(seen == std::vector<std::string>{"a 1"});
  const auto refused = d.take();
  CHECK(refused.meta() == wire::envelope_meta{.answers = 5, .failure = "no_handler"});
  CHECK(refused.to() == address{2});
  CHECK(d.log.has("message 'b' from 2: no handler for it here (seen 1 times)"));
  d.m.on_any([&](const message& m) { d.m.reply(m, std::string{"any"}); });
  d.come("b", std::string{"3"}, {.ask = 6});
  const auto answered = d.take();
  CHECK(answered.meta() == wire::envelope_meta{.answers = 6});
  CHECK(answered.as<std::string>() == "any");
  d.come("b", std::string{"4"});
  CHECK(d.thrown == std::vector<std::string>{"reply to 'b' from 2: it is no ask"});
}

TEST_CASE("what a handler throws is passed on, and its ask is not left waiting") {
  desk d;
  d.m.on("a", [](const message&) { throw std::runtime_error{"at once"}; });
  d.m.on("b", [](message) -> asio::awaitable<void> {
    co_await asio::post(asio::use_awaitable);
    throw std::runtime_error{"later"};
  });
  d.come("a", 1, {.ask = 5});
  d.come("b", 1, {.ask = 6});
  CHECK(d.m.busy() == 1);
  d.settle();
  CHECK(d.m.busy() == 0);
  CHECK(d.thrown == std::vector<std::string>{"at once", "later"});
  CHECK(d.take().meta() == wire::envelope_meta{.answers = 5, .failure = "no_handler"});
  CHECK(d.take().meta() == wire::envelope_meta{.answers = 6, .failure = "no_handler"});
}

TEST_CASE("without room at an address, written like this, nothing more is sent to it") {
  desk d;
  d.m.room_changed("web/2", false);
  CHECK(d.m.send("web/2", "x", 1) == send_result::not_now);
  CHECK(d.m.send(2, "x", 1) == send_result::sent);
  int called = 0;
  d.m.on_room("web/2", [&] { ++called; });
  d.m.on_room(2, [&] { called += 10; });
  CHECK(called == 0);
  d.settle();
  CHECK(called == 10);
  d.m.room_changed("web/2", true);
  CHECK(called == 11);
  CHECK(d.m.send("web/2", "x", 1) == send_result::sent);
}

TEST_CASE("when too much waits on the way nothing more is sent but answers") {
  desk d;
  d.waiting = limits::mail_high + 1;
  CHECK(d.m.send("web", "x", 1) == send_result::not_now);
  std::optional<std::string> said;
  d.m.ask("web", "who", 1, 10s, d.into(said));
  d.m.on("a", [&](const message& m) { CHECK(d.m.reply(m, 1) == send_result::sent); });
  d.come("a", 1, {.ask = 5});
  int called = 0;
  d.m.on_room("web", [&] { ++called; });
  d.settle();
  CHECK(said == "overloaded");
  CHECK(called == 0);
  d.waiting = limits::mail_low;
  d.m.outlet_has_room();
  CHECK(called == 0); // not from inside
  d.settle();
  CHECK(called == 1);
  CHECK(d.m.send("web", "x", 1) == send_result::sent);
}

TEST_CASE("the last message is told, and so is the end of the last coroutine") {
  desk d;
  int rests = 0;
  d.m.on_rest([&] { ++rests; });
  d.m.on("slow",
         [](message) -> asio::awaitable<void> { co_await asio::post(asio::use_awaitable); });
  d.come("slow", 1);
  d.come("slow", 2);
  const auto last = last_message(7);
  const std::span<const std::byte> body = std::span{last}.subspan(wire::frame_prefix_size);
  CHECK_FALSE(d.m.has_last());
  REQUIRE(d.m.receive({&body, 1}));
  CHECK(d.m.has_last());
  CHECK(rests == 1);
  d.settle();
  CHECK(rests == 2);
}

TEST_CASE("a frame that breaks the grammar is an error; those before it are handled") {
  desk d;
  int seen = 0;
  d.m.on("a", [&](const message&) { ++seen; });
  const std::byte nil{0xc0};
  std::vector<std::byte> good;
  wire::append_envelope({"a", {}, {}, {&nil, 1}, {}}, good);
  const std::span<const std::byte> bodies[] = {std::span{good}.subspan(4), {&nil, 1}};
  const auto taken = d.m.receive(bodies);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().message() == "decode envelope: it is not an array of 4 or 5");
  CHECK(seen == 1);
}
