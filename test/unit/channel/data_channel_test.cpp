#include "loop_fixture.hpp"

#include <coppice/runtime/channel/data_channel.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/socket_pair.hpp>
#include <coppice/runtime/wire/frame.hpp>

#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace coppice {
namespace {

using namespace channel_test;
using bytes = data_channel::bytes;

struct recorder : data_channel::handler {
  std::vector<std::string> bodies;
  std::vector<std::size_t> batches;
  std::vector<std::size_t> rooms; ///< what waited when it was told of room
  data_channel* channel = nullptr;
  std::optional<error> closed;
  std::function<void()> then_on_envelopes = [] {};
  std::function<void()> then_on_closed = [] {};

  void on_envelopes(std::span<const bytes> batch) override {
    for (const auto& body : batch) bodies.push_back(text(body));
    batches.push_back(batch.size());
    then_on_envelopes();
  }
  void on_room() override { rooms.push_back(channel != nullptr ? channel->queued_bytes() : 0); }
  void on_closed(const error& why) override {
    REQUIRE_FALSE(closed);
    closed = why;
    then_on_closed();
  }
};

std::vector<std::byte> frame(std::string_view body) {
  std::vector<std::byte> out;
  wire::append_frame(out, raw(body));
  return out;
}

struct channel_and_socket : loop_fixture {
  os::fd_pair pair = *os::stream_pair();
  os::unique_fd peer = std::move(pair.theirs);
  recorder got;
  std::unique_ptr<data_channel> channel =
      std::make_unique<data_channel>(loop, std::move(pair.ours));

  void peer_sends(bytes data) {
    REQUIRE(::send(peer.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
            static_cast<ssize_t>(data.size()));
  }
};

struct two_channels : channel_and_socket {
  recorder other_got;
  data_channel other{loop, std::move(peer)};

  two_channels() {
    channel->start(got);
    other.start(other_got);
  }
};

TEST_CASE_METHOD(two_channels, "frames sent in one round leave together and arrive in order") {
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back("envelope " + std::to_string(i));
    REQUIRE(channel->send(frame(sent.back())));
  }
  CHECK(channel->queued_bytes() > 0);
  run_until([&] { return other_got.bodies.size() == sent.size(); });
  CHECK(other_got.bodies == sent);
  CHECK(other_got.batches == std::vector<std::size_t>{100});
  CHECK(channel->queued_bytes() == 0);
}

TEST_CASE_METHOD(two_channels, "a batch leaves at once, behind what was sent before it") {
  const auto one = frame("one");
  const auto two = frame("two");
  const auto three = frame("three");
  REQUIRE(channel->send(one));
  REQUIRE(channel->send(std::array<bytes, 3>{two, bytes{three}.first(2), bytes{three}.subspan(2)}));
  CHECK(channel->queued_bytes() == 0);
  REQUIRE(channel->send(frame("four")));
  run_until([&] { return other_got.bodies.size() == 4; });
  CHECK(other_got.bodies == std::vector<std::string>{"one", "two", "three", "four"});
}

TEST_CASE_METHOD(two_channels, "what the socket has no room for waits, and leaves in order") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  std::vector<std::string> sent;
  std::vector<std::vector<std::byte>> batch;
  for (int i = 0; i < 500; ++i) {
    sent.emplace_back(1 + random() % 3000, static_cast<char>('a' + i % 26));
    if (random() % 2 == 0) {
      REQUIRE(channel->send(frame(sent.back())));
    } else {
      const auto whole = frame(sent.back());
      const auto cut = random() % whole.size();
      REQUIRE(
          channel->send(std::array<bytes, 2>{bytes{whole}.first(cut), bytes{whole}.subspan(cut)}));
    }
  }
  CHECK(channel->queued_bytes() > 0);
  run_until([&] { return other_got.bodies.size() == sent.size(); });
  CHECK(other_got.bodies == sent);
  CHECK(channel->queued_bytes() == 0);
}

TEST_CASE_METHOD(two_channels, "a batch of more pieces than one system call takes leaves whole") {
  const auto piece = frame("piece");
  const std::vector<bytes> pieces(1500, piece);
  REQUIRE(channel->send(pieces));
  run_until([&] { return other_got.bodies.size() == pieces.size(); });
  CHECK(other_got.bodies == std::vector<std::string>(1500, "piece"));
}

TEST_CASE_METHOD(two_channels, "the largest frame passes, and small ones behind it") {
  const std::string large(limits::envelope, 'x');
  const auto head = wire::frame_prefix(large.size());
  REQUIRE(channel->send(std::array<bytes, 2>{head, raw(large)}));
  REQUIRE(channel->send(frame("after")));
  run_until([&] { return other_got.bodies.size() == 2; });
  CHECK(other_got.bodies[0] == large);
  CHECK(other_got.bodies[1] == "after");
}

TEST_CASE_METHOD(channel_and_socket, "more than may wait is refused, and the channel goes on") {
  channel->start(got);
  const auto large = frame(std::string(1024 * 1024, 'x'));
  std::size_t taken = 0;
  while (channel->send(large)) REQUIRE(++taken < 100);
  CHECK(channel->queued_bytes() <= limits::data_queue);
  CHECK_FALSE(channel->send(std::array<bytes, 1>{large}));
  REQUIRE(channel->send(frame("small")));

  recorder other_got;
  data_channel other{loop, std::move(peer)};
  other.start(other_got);
  run_until([&] { return other_got.bodies.size() == taken + 1; });
  CHECK(other_got.bodies.back() == "small");
  CHECK(channel->send(large));
  CHECK_FALSE(got.closed);
}

TEST_CASE_METHOD(channel_and_socket,
                 "room is told at the low mark and when all is sent, once each") {
  got.channel = channel.get();
  channel->start(got);
  const auto piece = frame(std::string(64 * 1024, 'x'));
  while (channel->queued_bytes() <= limits::mail_high) REQUIRE(channel->send(piece));
  recorder other_got;
  data_channel other{loop, std::move(peer)};
  other.start(other_got);
  run_until([&] { return channel->queued_bytes() == 0 && got.rooms.size() > 1; });
  REQUIRE(got.rooms.size() == 2);
  CHECK(got.rooms[0] <= limits::mail_low);
  CHECK(got.rooms[1] == 0);
  // What never had to wait tells nothing.
  REQUIRE(channel->send(frame("small")));
  run_until([&] { return other_got.bodies.back() == "small"; });
  CHECK(got.rooms.size() == 2);
}

TEST_CASE_METHOD(two_channels, "a flush sends what waits for the end of the round") {
  REQUIRE(channel->send(frame("a")));
  CHECK(channel->queued_bytes() > 0);
  channel->flush();
  CHECK(channel->queued_bytes() == 0);
  run_until([&] { return !other_got.bodies.empty(); });
  CHECK(other_got.bodies.size() == 1);
}

TEST_CASE_METHOD(channel_and_socket, "frames that arrive in pieces are put together") {
  channel->start(got);
  const auto one = frame("one");
  for (const auto byte : one) {
    CHECK(got.bodies.empty());
    peer_sends({&byte, 1});
    run_what_is_ready();
  }
  run_until([&] { return got.bodies.size() == 1; });
  CHECK(got.bodies[0] == "one");
}

TEST_CASE_METHOD(channel_and_socket, "garbage ends the channel, after what was good before it") {
  channel->start(got);
  peer_sends(frame("good"));
  SECTION("a length of zero") { peer_sends(raw(std::string_view{"\0\0\0\0", 4})); }
  SECTION("a length above the limit") { peer_sends(raw("\xff\xff\xff\xff")); }
  SECTION("text") { peer_sends(raw("GET / HTTP/1.1\r\n\r\n")); }
  run_until([&] { return got.closed.has_value(); });
  CHECK(got.bodies == std::vector<std::string>{"good"});
  CHECK(got.closed->message().starts_with("decode frame: its length is "));
  CHECK_FALSE(channel->send(frame("x")));
}

TEST_CASE_METHOD(channel_and_socket, "the end of a stream is told after its last frame") {
  channel->start(got);
  peer_sends(frame("last"));
  SECTION("between frames") {
    peer.reset();
    run_until([&] { return got.closed.has_value(); });
    CHECK(got.closed->verb == "closed");
  }
  SECTION("inside a frame") {
    peer_sends(bytes{frame("cut off")}.first(5));
    peer.reset();
    run_until([&] { return got.closed.has_value(); });
    CHECK(got.closed->message() == "receive data: it ended inside a frame");
  }
  SECTION("with a reset") {
    REQUIRE(channel->send(std::array<bytes, 1>{raw("never read")}));
    peer.reset();
    run_until([&] { return got.closed.has_value(); });
    CHECK(got.closed->verb == "closed");
  }
  SECTION("found when sending") {
    peer.reset();
    const auto lost = frame("lost");
    CHECK_FALSE(channel->send(std::array<bytes, 1>{lost}));
    CHECK(got.bodies.empty()); // nothing is called from inside send
    run_until([&] { return got.closed.has_value(); });
    CHECK(got.closed->verb == "closed");
  }
  CHECK(got.bodies == std::vector<std::string>{"last"});
}

TEST_CASE_METHOD(channel_and_socket, "a peer that no longer reads ends the channel") {
  channel->start(got);
  peer_sends(frame("one"));
  REQUIRE(::shutdown(peer.get(), SHUT_RD) == 0);
  CHECK(channel->send(frame("x"))); // found at the end of the round
  run_until([&] { return got.closed.has_value(); });
  CHECK(got.bodies == std::vector<std::string>{"one"});
  CHECK(got.closed->message() == "send data: Broken pipe");
}

TEST_CASE_METHOD(channel_and_socket, "a data channel may be destroyed in its own callbacks") {
  channel->start(got);
  peer_sends(frame("one"));
  SECTION("on a frame, with output waiting and garbage behind it") {
    peer_sends(raw(std::string_view{"\0\0\0\0", 4}));
    REQUIRE(channel->send(frame(std::string(1024 * 1024, 'x'))));
    got.then_on_envelopes = [&] { channel.reset(); };
    run_until([&] { return channel == nullptr; });
  }
  SECTION("at the end") {
    peer.reset();
    got.then_on_closed = [&] { channel.reset(); };
    run_until([&] { return channel == nullptr; });
  }
  SECTION("while it is drained") {
    got.then_on_envelopes = [&] { channel.reset(); };
    channel->drain_now();
    CHECK(channel == nullptr);
  }
  run_what_is_ready();
  CHECK(got.bodies == std::vector<std::string>{"one"});
}

TEST_CASE_METHOD(channel_and_socket, "a closed channel calls nobody and leaks nothing") {
  const auto before = open_descriptors();
  channel->start(got);
  peer_sends(frame("one"));
  REQUIRE(channel->send(frame("x")));
  channel->close();
  CHECK(open_descriptors() == before - 1);
  run_what_is_ready();
  CHECK(got.bodies.empty());
  CHECK_FALSE(got.closed);
  CHECK(channel->queued_bytes() == 0);
}

TEST_CASE_METHOD(channel_and_socket,
                 "draining gives out the frames that are there, whoever holds the other side") {
  channel->start(got);
  peer_sends(frame("one"));
  peer_sends(frame("two"));
  peer_sends(bytes{frame("cut off")}.first(5));
  channel->drain_now(); // the peer's end is still open
  CHECK(got.bodies == std::vector<std::string>{"one", "two"});
  run_what_is_ready();
  CHECK_FALSE(got.closed);
}

TEST_CASE_METHOD(channel_and_socket, "draining a stream ends though somebody goes on writing") {
  channel->start(got);
  const auto more = frame(std::string(100'000, 'x'));
  peer_sends(more);
  got.then_on_envelopes = [&] { peer_sends(more); };
  channel->drain_now();
  CHECK(got.bodies.size() <= limits::data_drain / more.size() + 1);
}

} // namespace
} // namespace coppice
