// The mailbox of a slot: its pure part by tables, its actor against a link that keeps what it is
// given.
#include "support/actor_world.hpp"
#include "support/catch.hpp"
#include "support/log_lines.hpp"

#include <coppice/actors/slot_mailbox.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/messages/own_messages.hpp>

#include <msgpack.hpp>
#include <string>
#include <vector>

using namespace coppice;

namespace {

mail_run letter(std::string_view type, std::uint64_t from = 9, std::size_t size = 1,
                wire::envelope_meta meta = {}) {
  msgpack::sbuffer packed;
  msgpack::pack(packed, std::string(size, 'v'));
  auto run = written_by_primary({type,
                                 {.id = from, .name = {}},
                                 {.id = 7, .name = {}},
                                 {reinterpret_cast<const std::byte*>(packed.data()), packed.size()},
                                 {}},
                                meta);
  run.sender = from;
  return run;
}

} // namespace

TEST_CASE("of a slot's processes the youngest that is ready gets the mail") {
  mailbox box;
  using stage = mailbox::stage;
  CHECK(box.taker() == 0);
  box.open(1);
  CHECK(box.taker() == 0);
  CHECK(box.asker(1) == 1); // it may ask while it sets itself up
  box.enter(1, stage::ready);
  CHECK(box.taker() == 1);
  box.open(2);
  CHECK(box.taker() == 1);
  box.enter(2, stage::ready);
  CHECK(box.taker() == 2);
  box.enter(1, stage::leaving);
  CHECK(box.asker(1) == 1);
  box.close(1);
  CHECK(box.asker(1) == 0);
  box.enter(2, stage::leaving);
  CHECK(box.taker() == 0);
  box.enter(3, stage::ready); // there is no such process
  CHECK(box.taker() == 0);
}

TEST_CASE("so many messages wait, and so many bytes") {
  mailbox box;
  for (std::size_t i = 0; i < limits::mail_messages; ++i) REQUIRE(box.keep(letter("a")));
  CHECK(box.crowded());
  CHECK_FALSE(box.keep(letter("a")));
  CHECK(box.take_all().size() == limits::mail_messages);
  CHECK(box.empty());
  CHECK_FALSE(box.crowded());
  CHECK(box.keep(letter("a", 9, limits::mail_bytes - 1000)));
  CHECK_FALSE(box.keep(letter("a", 9, 1000)));
  CHECK(box.keep(letter("a", 9, 10)));
}

namespace {

/// A process that keeps what it is sent, as words.
class paper_link final : public worker_link {
public:
  void start(on_event) override {}
  bool offer(std::span<const offered_connection>) override { return false; }
  bool give_datagrams(std::span<const datagram_endpoint>) override { return false; }
  void ask_to_drain(std::chrono::milliseconds, bool) override {}
  void signal(int) override {}
  link_progress progress() override { return {}; }
  link_progress ask_for_room() override { return {}; }
  std::vector<link_event> read_to_end() override { return {}; }

  bool send(std::span<const std::span<const std::byte>> frames) override {
    if (!open) return false;
    for (const auto piece : frames) {
      auto memory = std::make_shared<const std::vector<std::byte>>(piece.begin(), piece.end());
      for_each_message({memory, *memory, 0, 0, 0, {}},
                       [&](const auto&, const auto& head, const auto& meta) {
                         got.emplace_back(head.type);
                         if (!meta.failure.empty()) got.back() += " " + std::string{meta.failure};
                       });
    }
    return true;
  }
  [[nodiscard]] std::size_t unsent() const override { return waiting; }
  void tell_room(const wire::message_room& about) override {
    got.push_back((about.room ? "room " : "no room ") + std::to_string(about.id) + about.name);
  }

  bool open = true;
  std::size_t waiting = 0;
  std::vector<std::string> got;
};

using words = std::vector<std::string>;

/// Slot 7, to which slot 9 writes; the process of 9 is there.
struct street {
  test::actor_world world;
  test::log_lines log;
  post_office post{log};
  caf::actor seven = ensure_mailbox(world.system(), post,
                                    {.id = 7, .name = "web/1", .group = "web", .mailbox = {}});
  caf::actor nine = ensure_mailbox(world.system(), post,
                                   {.id = 9, .name = "api/1", .group = "api", .mailbox = {}});
  std::shared_ptr<paper_link> writer = std::make_shared<paper_link>();

  street() {
    news(nine, process_news::kind::exists, 4, writer);
    news(nine, process_news::kind::ready, 4);
  }
  ~street() {
    end_mailbox(post, 7);
    end_mailbox(post, 9);
    world.run();
  }
  void news(const caf::actor& mailbox, process_news::kind what, std::uint64_t incarnation,
            const std::shared_ptr<worker_link>& link = {}) {
    port::anon_mail(process_news{what, incarnation, link}).send(mailbox);
    world.run();
  }
  std::shared_ptr<paper_link> process(std::uint64_t incarnation) {
    auto link = std::make_shared<paper_link>();
    news(seven, process_news::kind::exists, incarnation, link);
    return link;
  }
  void write(std::initializer_list<mail_run> runs) {
    mail letters;
    for (const auto& run : runs) letters.add(run);
    port::anon_mail(mail_for_you{std::move(letters)}).send(seven);
    world.run();
  }
  /// From the 4th incarnation of 9.
  static mail_run ask(std::uint64_t number, std::string_view type = "ask") {
    return letter(type, 9, 1, {.ask = (std::uint64_t{4} << 32U) + number});
  }
};

} // namespace

TEST_CASE("messages wait for a process that is ready, and keep their order") {
  street s;
  s.write({letter("a"), letter("b")});
  const auto first = s.process(1);
  s.write({letter("c")});
  CHECK(first->got.empty());
  s.news(s.seven, process_news::kind::ready, 1);
  CHECK(first->got == words{"a", "b", "c"});
  CHECK(s.post.book.find(7)->ready);
  s.write({letter("d")});
  CHECK(first->got == words{"a", "b", "c", "d"});
}

TEST_CASE(
    "a process on its way out is told which message is the last, the next one gets the rest") {
  street s;
  const auto old = s.process(1);
  s.news(s.seven, process_news::kind::ready, 1);
  s.write({letter("a")});
  s.news(s.seven, process_news::kind::leaving, 1);
  s.write({letter("b")});
  auto answer = letter(answer_type, 9, 1, {.answers = (std::uint64_t{1} << 32U) + 5});
  s.write({answer});
  CHECK(old->got == words{"a", "coppice.last", "coppice.answer"});
  const auto next = s.process(2);
  s.news(s.seven, process_news::kind::ready, 2);
  CHECK(next->got == words{"b"});
  s.news(s.seven, process_news::kind::gone, 1);
  s.write({answer});
  CHECK(s.post.dead.count(dead_letter::asker_gone) == 1);
}

TEST_CASE("messages that a closed channel does not take are for the next process") {
  street s;
  const auto old = s.process(1);
  s.news(s.seven, process_news::kind::ready, 1);
  old->open = false;
  s.write({letter("a"), street::ask(1)});
  s.write({letter("b")});
  s.news(s.seven, process_news::kind::gone, 1);
  CHECK(s.writer->got.empty()); // the ask is not lost either
  const auto next = s.process(2);
  s.news(s.seven, process_news::kind::ready, 2);
  CHECK(next->got == words{"a", "ask", "b"});
}

TEST_CASE("asks of a process that dies are told, those that wait and those answered are not") {
  street s;
  const auto process = s.process(1);
  s.news(s.seven, process_news::kind::ready, 1);
  s.write({street::ask(1), street::ask(2)});
  REQUIRE(s.post.book.find(7)->asks->close({9, (std::uint64_t{4} << 32U) + 1}, 1));
  s.news(s.seven, process_news::kind::gone, 1);
  CHECK(s.writer->got == words{"coppice.failure worker_died"});
  s.write({street::ask(3)});
  CHECK(s.writer->got.size() == 1);
}

TEST_CASE("what waits for a slot that is no more is refused") {
  street s;
  s.write({letter("a"), street::ask(1)});
  end_mailbox(s.post, 7);
  s.world.run();
  CHECK(s.post.dead.count(dead_letter::no_such_address) == 2);
  CHECK(s.writer->got == words{"coppice.failure no_such_address"});
}

TEST_CASE("too much for a process that is not there stops its senders, and more is refused") {
  street s;
  for (std::size_t i = 0; i < limits::mail_messages; ++i) s.write({letter("a")});
  CHECK(s.post.dead.count(dead_letter::overloaded) == 0);
  CHECK(s.writer->got.front() == "no room 7");
  s.writer->got.clear();
  s.write({letter("b"), street::ask(1)});
  CHECK(s.post.dead.count(dead_letter::overloaded) == 2);
  CHECK(s.writer->got == words{"coppice.failure overloaded", "no room 7"});
  s.writer->got.clear();
  const auto process = s.process(1);
  s.news(s.seven, process_news::kind::ready, 1);
  CHECK(process->got.size() == limits::mail_messages);
  CHECK(s.writer->got == words{"room 7"});
}

TEST_CASE("senders stop above the high mark and go on below the low one") {
  street s;
  const auto process = s.process(1);
  s.news(s.seven, process_news::kind::ready, 1);
  process->waiting = limits::mail_high;
  s.write({letter("a")});
  CHECK(s.writer->got.empty());
  process->waiting = limits::mail_high + 1;
  s.write({letter("b")});
  CHECK(s.writer->got == words{"no room 7"});
  CHECK(s.post.book.find(7)->full);
  process->waiting = limits::mail_low + 1;
  s.news(s.seven, process_news::kind::has_room, 1);
  CHECK(s.post.book.find(7)->full);
  process->waiting = limits::mail_low;
  s.news(s.seven, process_news::kind::has_room, 1);
  CHECK(s.writer->got == words{"no room 7", "room 7"});
  CHECK_FALSE(s.post.book.find(7)->full);
}

TEST_CASE("one without room does not keep others from what is for several") {
  street s;
  const auto process = s.process(1);
  s.news(s.seven, process_news::kind::ready, 1);
  process->waiting = limits::mail_high + 1;
  for (const std::string_view to : {"*", "topic:tea", "web/*", "web"}) {
    const std::byte nil{0xc0};
    auto run =
        written_by_primary({"a", {.id = 9, .name = {}}, {.id = 0, .name = to}, {&nil, 1}, {}}, {});
    run.sender = 9;
    s.write({run});
  }
  CHECK(process->got.size() == 4);
  CHECK(s.writer->got.empty());
}

TEST_CASE("a full process that dies lets its senders go on") {
  street s;
  const auto process = s.process(1);
  s.news(s.seven, process_news::kind::ready, 1);
  process->waiting = limits::mail_high + 1;
  s.write({letter("a")});
  s.news(s.seven, process_news::kind::gone, 1);
  CHECK(s.writer->got == words{"no room 7", "room 7"});
}

TEST_CASE("asks beyond those that may be open are refused one by one") {
  street s;
  const auto process = s.process(1);
  s.news(s.seven, process_news::kind::ready, 1);
  auto& asks = *s.post.book.find(7)->asks;
  for (std::uint64_t i = 1; i < limits::open_asks; ++i) REQUIRE(asks.open({8, i}, 1));
  s.write({street::ask(1, "first"), street::ask(2, "second"), letter("plain")});
  CHECK(process->got == words{"first", "plain"});
  CHECK(s.writer->got == words{"coppice.failure overloaded"});
}
