// Datagrams over loopback, as a worker receives them.
#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <coppice/runtime/net/datagram_endpoint.hpp>
#include <coppice/runtime/worker/datagram_sockets.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace coppice;
using namespace coppice::test;

namespace {

/// A socket that is served, and a client of it.
struct datagram_world {
  struct heard {
    std::string bytes;
    std::string peer;
    std::uint32_t listener;
    bool truncated;
    bool operator==(const heard&) const = default;
  };
  asio::io_context loop{1};
  std::optional<datagram_sockets> sockets{std::in_place, loop};
  datagram_endpoint bound = bind_datagrams(parse_listen("udp://127.0.0.1:0").value(), 0).value();
  os::unique_fd client{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  std::vector<heard> all;

  datagram_world() {
    sockaddr_storage to{};
    socklen_t size = sizeof to;
    REQUIRE(::getsockname(bound.socket.get(), reinterpret_cast<sockaddr*>(&to), &size) == 0);
    REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), size) == 0);
  }
  void serve(datagram_options options = {}) {
    sockets->serve_with(
        [this](datagram& d) {
          all.push_back({std::string{d.bytes()}, d.peer(), d.listener(), d.truncated()});
        },
        options);
    add();
  }
  /// A duplicate, as the primary sends it.
  void add() { sockets->add(os::unique_fd{::dup(bound.socket.get())}, 7); }
  void send(const std::string& bytes) {
    REQUIRE(::send(client.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
  }
  void run_until(const std::function<bool()>& done) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      REQUIRE(std::chrono::steady_clock::now() < until);
      loop.run_one_for(std::chrono::milliseconds{100});
    }
  }
  std::string peer_of_client() {
    return "127.0.0.1:" + std::to_string(local_endpoint(client.get())->port);
  }
};

} // namespace

TEST_CASE("datagrams come in order, with their sender and their endpoint", "[datagram]") {
  datagram_world w;
  w.serve();
  for (const char* text : {"one", "", "three"}) w.send(text);
  w.run_until([&] { return w.all.size() == 3; });
  const auto peer = w.peer_of_client();
  CHECK(w.all == std::vector<datagram_world::heard>{
                     {"one", peer, 7, false}, {"", peer, 7, false}, {"three", peer, 7, false}});
}

TEST_CASE("the largest datagram is whole, and a larger one than is wanted is flagged",
          "[datagram]") {
  const std::string largest(65507, 'x'); // of IPv4
  {
    datagram_world w;
    w.serve();
    w.send(largest);
    w.run_until([&] { return w.all.size() == 1; });
    CHECK(w.all[0].bytes == largest);
    CHECK_FALSE(w.all[0].truncated);
  }
  datagram_world w;
  w.serve({.largest = 4});
  for (const char* text : {"1234", "12345", "", "123456"}) w.send(text);
  w.run_until([&] { return w.all.size() == 4; });
  CHECK(w.all[0].bytes == "1234");
  CHECK_FALSE(w.all[0].truncated);
  CHECK(w.all[1].bytes == "1234");
  CHECK(w.all[1].truncated);
  CHECK_FALSE(w.all[2].truncated);
  CHECK(w.all[3].truncated);
}

TEST_CASE("one round takes a batch, and others have their turn before the next", "[datagram]") {
  datagram_world w;
  w.serve();
  for (std::size_t i = 0; i < 2 * limits::datagram_batch; ++i) w.send(std::to_string(i));
  w.run_until([&] { return !w.all.empty(); });
  CHECK(w.all.size() == limits::datagram_batch);
  w.run_until([&] { return w.all.size() == 2 * limits::datagram_batch; });
  CHECK(w.all.back().bytes == std::to_string(2 * limits::datagram_batch - 1));
}

TEST_CASE("an answer comes back from the endpoint, and one that cannot be sent says why",
          "[datagram]") {
  datagram_world w;
  std::error_code good, bad;
  w.sockets->serve_with(
      [&](datagram& d) {
        bad = d.reply(std::string(70'000, 'x'));
        good = d.reply("re: " + std::string{d.bytes()});
      },
      {});
  w.add();
  w.send("hello");
  std::string answer(100, '\0');
  w.run_until([&] {
    const auto n = ::recv(w.client.get(), answer.data(), answer.size(), MSG_DONTWAIT);
    return n >= 0 && (answer.resize(static_cast<std::size_t>(n)), true);
  });
  CHECK(answer == "re: hello");
  CHECK_FALSE(good);
  CHECK(bad == std::errc::message_size);
}

TEST_CASE("what a handler throws is told, and the next datagram is handled", "[datagram]") {
  datagram_world w;
  int thrown = 0, handled = 0;
  w.sockets->on_thrown([&](std::exception_ptr) { ++thrown; });
  w.sockets->on_handled([&] { ++handled; });
  w.sockets->serve_with(
      [&](datagram& d) {
        if (d.bytes() == "bad") throw std::runtime_error{"no"};
        w.all.push_back({std::string{d.bytes()}, "", 0, false});
      },
      {});
  w.add();
  for (const char* text : {"a", "bad", "b"}) w.send(text);
  w.run_until([&] { return w.all.size() == 2; });
  CHECK(thrown == 1);
  CHECK(handled == 3);
}

TEST_CASE("a datagram is counted once, and before its answer is out", "[datagram]") {
  datagram_world w;
  int handled = 0;
  std::vector<int> seen;
  w.sockets->on_handled([&] { ++handled; });
  w.sockets->serve_with(
      [&](datagram& d) {
        seen.push_back(handled);
        if (d.bytes() == "quiet") return;
        for (int i = 0; i < 2; ++i) CHECK_FALSE(d.reply("x"));
        seen.push_back(handled);
      },
      {});
  w.add();
  for (const char* text : {"quiet", "loud", "quiet"}) w.send(text);
  w.run_until([&] { return handled == 3; });
  CHECK(seen == std::vector<int>{0, 1, 2, 2});
}

TEST_CASE("after close nothing is read: it is there for the others", "[datagram]") {
  datagram_world w;
  w.serve();
  w.send("first");
  w.run_until([&] { return w.all.size() == 1; });
  w.sockets->close();
  w.send("second");
  w.loop.restart();
  w.loop.poll();
  CHECK(w.all.size() == 1);
  char bytes[16];
  CHECK(::recv(w.bound.socket.get(), bytes, sizeof bytes, MSG_DONTWAIT) == 6);
}

TEST_CASE("a size that nothing can have is refused", "[datagram]") {
  asio::io_context loop{1};
  datagram_sockets sockets{loop};
  for (const std::size_t largest : {std::size_t{0}, limits::datagram + 1})
    CHECK_THROWS_AS(sockets.serve_with([](datagram&) {}, {.largest = largest}),
                    std::invalid_argument);
}
