#include "bytes.hpp"
#include "support/catch.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/frame.hpp>

#include <algorithm>
#include <cstring>
#include <random>
#include <stdexcept>

namespace coppice::wire {
namespace {

using namespace wire_test;

struct taken {
  std::vector<byte_list> bodies;
  bool broken = false;
};

// What a reader makes of a stream that arrives in pieces of `size(i)` bytes.
template <class Size>
taken read_in_pieces(const byte_list& stream, Size size) {
  frame_reader reader;
  taken all;
  for (std::size_t at = 0, i = 0; at < stream.size() && !all.broken; ++i) {
    const auto room = reader.room();
    REQUIRE_FALSE(room.empty());
    REQUIRE(room.size() <= limits::data_read);
    const auto n = std::min({room.size(), stream.size() - at, std::max<std::size_t>(1, size(i))});
    std::memcpy(room.data(), stream.data() + at, n);
    reader.received(n);
    at += n;
    auto body = reader.next();
    for (; body && *body; body = reader.next())
      all.bodies.emplace_back((*body)->begin(), (*body)->end());
    all.broken = !body;
  }
  return all;
}

taken read_whole(const byte_list& stream) {
  return read_in_pieces(stream, [&](std::size_t) { return stream.size(); });
}

byte_list frames_of(const std::vector<byte_list>& bodies) {
  byte_list stream;
  for (const auto& body : bodies) append_frame(stream, body);
  return stream;
}

TEST_CASE("a frame is a big-endian length and that many bytes") {
  CHECK(frames_of({of("abc")}) == hex({0, 0, 0, 3, 'a', 'b', 'c'}));
  CHECK(frame_prefix(0x00123456) ==
        std::array{std::byte{0}, std::byte{0x12}, std::byte{0x34}, std::byte{0x56}});
}

TEST_CASE("frames come out whole and in order however the stream is cut") {
  std::vector<byte_list> bodies{
      of("a"), of("bc"), times(5000, of("x")), of("d"), times(300'000, of("yz")), of("end")};
  const auto stream = frames_of(bodies);
  CHECK(read_whole(stream).bodies == bodies);
  for (std::size_t size : {1U, 2U, 3U, 4U, 5U, 7U, 4095U, 4096U, 4097U, 70'000U}) {
    INFO("in pieces of " << size);
    CHECK(read_in_pieces(stream, [=](std::size_t) { return size; }).bodies == bodies);
  }
}

TEST_CASE("frames of random sizes in random pieces come out as they went in") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 50; ++round) {
    std::vector<byte_list> bodies(1 + random() % 40);
    for (auto& body : bodies) {
      body.resize(1 + random() % (random() % 8 == 0 ? 60'000 : 200));
      for (auto& byte : body) byte = static_cast<std::byte>(random());
    }
    const auto got =
        read_in_pieces(frames_of(bodies), [&](std::size_t) { return random() % 10'000; });
    REQUIRE(got.bodies == bodies);
  }
}

TEST_CASE("the largest frame is read, and the next byte is too much") {
  const auto body = byte_list(limits::envelope, std::byte{7});
  const auto got = read_whole(frames_of({body, of("after")}));
  CHECK_FALSE(got.broken);
  REQUIRE(got.bodies.size() == 2);
  CHECK(got.bodies[0] == body);

  byte_list out;
  CHECK_THROWS_AS(append_frame(out, byte_list(limits::envelope + 1)), std::length_error);
  CHECK_THROWS_AS(append_frame(out, {}), std::length_error);
  CHECK(out.empty());
}

TEST_CASE("a length of zero or above the limit breaks the stream for good") {
  for (const auto& prefix : {hex({0, 0, 0, 0}), hex({1, 0, 0, 1}), hex({0xff, 0xff, 0xff, 0xff})}) {
    const auto got = read_whole(frames_of({of("good")}) + prefix + frames_of({of("lost")}));
    CHECK(got.bodies == std::vector<byte_list>{of("good")});
    CHECK(got.broken);
  }
  frame_reader reader;
  std::memset(reader.room().data(), 0, 4);
  reader.received(4);
  CHECK(reader.next().error().message() == "decode frame: its length is zero");
  CHECK_FALSE(reader.next());
}

TEST_CASE("a frame that does not come whole is held, and said to be") {
  frame_reader reader;
  CHECK(reader.held() == 0);
  const auto part = hex({0, 0, 0, 9, 'a'});
  std::memcpy(reader.room().data(), part.data(), part.size());
  reader.received(part.size());
  CHECK_FALSE(reader.next()->has_value());
  CHECK(reader.held() == part.size());
}

TEST_CASE("a prefix that announces 16 MiB makes no room for them") {
  frame_reader reader;
  const auto claim = hex({1, 0, 0, 0, 'x'});
  std::memcpy(reader.room().data(), claim.data(), claim.size());
  reader.received(claim.size());
  REQUIRE(reader.next());
  CHECK(reader.room().size() < 8192);
}

} // namespace
} // namespace coppice::wire
