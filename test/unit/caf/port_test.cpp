#include "support/actor_world.hpp"
#include "support/catch.hpp"
#include "unit/caf/messages.hpp"

#include <caf/make_message.hpp>
#include <caf/message.hpp>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

using namespace coppice;
using namespace coppice::test;
using namespace std::chrono_literals;

namespace {

struct watcher {
  caf::event_based_actor* self;
  std::vector<ended>& ends;
  caf::behavior make_behavior() {
    return {
        [this](const ended& e) { ends.push_back(e); },
        [this](const perform& p) { p.what(self); },
    };
  }
};

struct takes_descriptor {
  caf::event_based_actor* self;
  std::vector<os::unique_fd>& taken;
  caf::behavior make_behavior() {
    return {[this](const descriptor& d) {
      if (auto fd = d.fd.take()) taken.push_back(std::move(*fd));
    }};
  }
};

struct made_of_parts {
  caf::event_based_actor* self;
  std::unique_ptr<int> owned;
  std::string text;
  int& seen;
  static constexpr const char* name = "made_of_parts";
  caf::behavior make_behavior() {
    return {[this](const tick&) { seen = *owned + static_cast<int>(text.size()); }};
  }
};

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
os::unique_fd some_descriptor() { return os::unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}; }

} // namespace

TEST_CASE("the end of an actor comes to its watcher as a message") {
  actor_world world;
  std::vector<ended> ends;
  auto w = port::spawn_state<watcher>(world.system(), std::ref(ends));
  auto a = port::spawn_state<watcher>(world.system(), std::ref(ends));
  world.deliver(w, perform{[&](auto* self) {
                  port::watch(self, a, ended{1, "fixed"});
                  port::watch(self, a, [](std::string why) { return ended{2, std::move(why)}; });
                }});
  CHECK(ends.empty());

  std::string expected;
  SECTION("a normal end has no reason") {
    world.deliver(a, perform{[](auto* self) { self->quit(); }});
  }
  SECTION("a failure has its text") {
    expected = "no such file";
    world.deliver(a, perform{[](auto* self) { self->quit(port::failed("no such file")); }});
  }
  SECTION("an exception has its text") {
    expected = "out of range";
    world.deliver(a, perform{[](auto*) { throw std::out_of_range("out of range"); }});
  }
  SECTION("a kill has its name") {
    expected = "kill";
    caf::anon_send_exit(a, caf::exit_reason::kill);
    world.run();
  }
  SECTION("an actor that nobody knows is unreachable") {
    expected = "unreachable";
    a = nullptr;
    world.run();
  }
  REQUIRE(ends.size() == 2);
  for (const ended& e : ends) CHECK(e.why == (e.who == 1 ? "fixed" : expected));
  CHECK(ends[0].who + ends[1].who == 3);
}

TEST_CASE("whoever watches an actor that has ended hears of it at once") {
  actor_world world;
  std::vector<ended> ends;
  auto w = port::spawn_state<watcher>(world.system(), std::ref(ends));
  auto a = port::spawn_state<watcher>(world.system(), std::ref(ends));
  world.deliver(a, perform{[](auto* self) { self->quit(port::failed("early")); }});
  world.deliver(w, perform{[&](auto* self) {
                  port::watch(self, a, [](std::string why) { return ended{1, std::move(why)}; });
                }});
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].why == "early");
}

TEST_CASE("watching keeps neither side alive") {
  actor_world world;
  std::vector<ended> ends;
  auto a = port::spawn_state<watcher>(world.system(), std::ref(ends));
  auto w = port::spawn_state<watcher>(world.system(), std::ref(ends));
  world.deliver(w, perform{[&](auto* self) { port::watch(self, a, ended{1, {}}); }});
  w = nullptr;
  CHECK(world.running() == 1);
  a = nullptr;
  CHECK(world.running() == 0);
}

TEST_CASE("a moved value is taken once, whoever has a copy") {
  port::moved<os::unique_fd> first = some_descriptor();
  const port::moved<os::unique_fd> second = first;
  CHECK(second);
  auto taken = second.take();
  REQUIRE(taken);
  CHECK(is_open(taken->get()));
  CHECK_FALSE(first);
  CHECK_FALSE(first.take());
  CHECK_FALSE(second.take());
  CHECK_FALSE(port::moved<os::unique_fd>{}.take());
}

TEST_CASE("a moved value that nobody takes is destroyed with its last copy") {
  os::unique_fd fd = some_descriptor();
  const int number = fd.get();
  {
    port::moved<os::unique_fd> first = std::move(fd);
    { port::moved<os::unique_fd> second = first; }
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("a message carries a descriptor to an actor, or closes it on the way") {
  actor_world world;
  std::vector<os::unique_fd> taken;
  auto a = port::spawn_state<takes_descriptor>(world.system(), std::ref(taken));
  os::unique_fd fd = some_descriptor();
  const int number = fd.get();
  SECTION("taken") {
    world.deliver(a, descriptor{std::move(fd)});
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].get() == number);
    CHECK(is_open(number));
  }
  SECTION("the actor ends before") {
    caf::anon_send_exit(a, caf::exit_reason::kill);
    port::anon_mail(descriptor{std::move(fd)}).send(a);
    world.run();
    CHECK_FALSE(is_open(number));
  }
  SECTION("the actor has ended") {
    caf::anon_send_exit(a, caf::exit_reason::kill);
    world.run();
    world.deliver(a, descriptor{std::move(fd)});
    CHECK_FALSE(is_open(number));
  }
  SECTION("there is no actor") {
    port::anon_mail(descriptor{std::move(fd)}).send(caf::actor{});
    CHECK_FALSE(is_open(number));
  }
}

TEST_CASE("a state is made of what is moved into it") {
  actor_world world;
  int seen = 0;
  auto a = port::spawn_state<made_of_parts>(world.system(), std::make_unique<int>(40), "it",
                                            std::ref(seen));
  world.deliver(a, tick{});
  CHECK(seen == 42);
}

TEST_CASE("an actor starts another by its self") {
  actor_world world;
  int seen = 0;
  std::vector<ended> ends;
  auto parent = port::spawn_state<watcher>(world.system(), std::ref(ends));
  world.deliver(parent, perform{[&](caf::event_based_actor* self) {
                  auto child = port::spawn_state<made_of_parts>(self, std::make_unique<int>(1),
                                                                std::string("x"), std::ref(seen));
                  port::mail(self, tick{}).send(child);
                }});
  CHECK(seen == 2);
  CHECK(world.running() == 1);
}

TEST_CASE("a message that an actor does not know ends neither it nor its sender") {
  actor_world world;
  std::vector<ended> ends;
  auto from = port::spawn_state<watcher>(world.system(), std::ref(ends));
  auto to = port::spawn_state<watcher>(world.system(), std::ref(ends));
  bool refused = false;
  world.deliver(
      from, perform{[&](caf::event_based_actor* self) {
        port::mail(self, unknown_to_all{}).send(to);
        port::mail(self, unknown_to_all{})
            .request(to, 1s)
            .then([](const tick&) {},
                  [&](const caf::error& why) { refused = why == caf::sec::unexpected_message; });
      }});
  CHECK(world.running() == 2);
  CHECK(refused);
}

TEST_CASE("a message shows its fields") {
  CHECK(caf::to_string(caf::make_message(
            everything{.a = 1, .b = "two", .c = colour::green, .d = 5ms, .e = {6, 7}})) ==
        R"((coppice::everything(1, "two", green, 5ms, [6, 7])))");
  CHECK(caf::to_string(caf::make_message(tick{})) == "(coppice::tick())");
  CHECK(caf::to_string(caf::make_message(descriptor{})) == "(<unprintable>)");
}

TEST_CASE("reasons have texts") {
  CHECK(port::reason_text({}).empty());
  CHECK(port::reason_text(caf::exit_reason::normal).empty());
  CHECK(port::reason_text(caf::exit_reason::kill) == "kill");
  CHECK(port::reason_text(caf::exit_reason::user_shutdown) == "user_shutdown");
  CHECK(port::reason_text(port::failed("why")) == "why");
  CHECK(port::reason_text(port::failed("")).empty());
  CHECK_FALSE(port::reason_text(caf::sec::request_timeout).empty());
}
