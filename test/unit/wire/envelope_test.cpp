#include "bytes.hpp"
#include "support/catch.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/envelope.hpp>
#include <coppice/runtime/wire/frame.hpp>

#include <stdexcept>
#include <string>

namespace coppice::wire {
namespace {

using namespace wire_test;

// The body of the one frame in `frame`.
std::span<const std::byte> body_of(std::span<const std::byte> frame) {
  REQUIRE(frame.size() > frame_prefix_size);
  const auto prefix = frame_prefix(frame.size() - frame_prefix_size);
  REQUIRE(std::equal(prefix.begin(), prefix.end(), frame.begin()));
  return frame.subspan(frame_prefix_size);
}

byte_list list(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

TEST_CASE("an envelope comes out as it went in") {
  const auto msg = packed([](auto& p) { p.pack(std::vector<std::string>{"flush", "all"}); });
  const auto meta = packed([](auto& p) { p.pack(std::map<std::string, int>{{"id", 7}}); });
  const std::string longest(255, 'n');
  const std::vector<address> addresses{{0, ""},
                                       {1, ""},
                                       {127, ""},
                                       {128, ""},
                                       {255, ""},
                                       {256, ""},
                                       {65535, ""},
                                       {65536, ""},
                                       {0xffffffff, ""},
                                       {0x100000000, ""},
                                       {~std::uint64_t{0}, ""},
                                       {0, "w"},
                                       {0, "web/*"},
                                       {0, std::string_view{longest}.substr(0, 31)},
                                       {0, std::string_view{longest}.substr(0, 32)},
                                       {0, longest}};
  for (const auto& from : addresses) {
    for (const auto& to : addresses) {
      for (const auto& rest : {byte_list{}, meta}) {
        byte_list frame;
        append_envelope({"cache.flush", from, to, msg, rest}, frame);
        const auto parsed = parse_envelope(body_of(frame));
        REQUIRE(parsed);
        CHECK(parsed->type == "cache.flush");
        CHECK(parsed->from == from);
        CHECK(parsed->to == to);
        CHECK(list(parsed->msg) == msg);
        CHECK(list(parsed->meta) == rest);
      }
    }
  }
}

TEST_CASE("the bytes of an envelope are those of the grammar") {
  byte_list frame;
  append_envelope({"t", {7, ""}, {0, "web"}, hex({0xc0}), {}}, frame);
  CHECK(frame == hex({0, 0, 0, 9, 0x94, 0xa1, 't', 7, 0xa3, 'w', 'e', 'b', 0xc0}));
  frame.clear();
  append_envelope({"t", {7, ""}, {8, ""}, hex({0xc0}), hex({0x80})}, frame);
  CHECK(frame == hex({0, 0, 0, 7, 0x95, 0xa1, 't', 7, 8, 0xc0, 0x80}));
}

TEST_CASE("another head can be put before the same message") {
  const auto msg = times(1000, hex({0xc3}));
  byte_list frame;
  append_envelope({"t", {99, ""}, {0, "web/2"}, hex({0xdc, 0x03, 0xe8}) + msg, hex({0x80})}, frame);
  auto view = *parse_envelope(body_of(frame));
  view.from = {3, ""}; // as the hub stamps the sender
  buffer head;
  const auto forwarded = list(encode_head(view, head)) + list(view.msg) + list(view.meta);
  const auto again = parse_envelope(body_of(forwarded));
  REQUIRE(again);
  CHECK(again->from == address{3, ""});
  CHECK(again->to == address{0, "web/2"});
  CHECK(list(again->msg) == list(view.msg));
  CHECK(list(again->meta) == hex({0x80}));
}

TEST_CASE("any msgpack value can be a message") {
  const std::vector<byte_list> values{hex({0}),
                                      hex({0x7f}),
                                      hex({0xe0}),
                                      hex({0xff}),
                                      hex({0xc0}),
                                      hex({0xc2}),
                                      hex({0xc3}),
                                      hex({0xa0}),
                                      hex({0xa1, 'x'}),
                                      hex({0xd9, 1, 'x'}),
                                      hex({0xda, 0, 1, 'x'}),
                                      hex({0xdb, 0, 0, 0, 1, 'x'}),
                                      hex({0xc4, 0}),
                                      hex({0xc4, 1, 9}),
                                      hex({0xc5, 0, 1, 9}),
                                      hex({0xc6, 0, 0, 0, 1, 9}),
                                      hex({0xc7, 0, 5}),
                                      hex({0xc7, 1, 5, 9}),
                                      hex({0xc8, 0, 1, 5, 9}),
                                      hex({0xc9, 0, 0, 0, 1, 5, 9}),
                                      hex({0xca, 0, 0, 0, 0}),
                                      hex({0xcb}) + times(8, hex({1})),
                                      hex({0xcc, 1}),
                                      hex({0xcd, 1, 1}),
                                      hex({0xce, 1, 1, 1, 1}),
                                      hex({0xcf}) + times(8, hex({1})),
                                      hex({0xd0, 1}),
                                      hex({0xd1, 1, 1}),
                                      hex({0xd2, 1, 1, 1, 1}),
                                      hex({0xd3}) + times(8, hex({1})),
                                      hex({0xd4, 5, 1}),
                                      hex({0xd5, 5, 1, 1}),
                                      hex({0xd6, 5}) + times(4, hex({1})),
                                      hex({0xd7, 5}) + times(8, hex({1})),
                                      hex({0xd8, 5}) + times(16, hex({1})),
                                      hex({0x90}),
                                      hex({0x92, 1, 0x91, 0xc0}),
                                      hex({0xdc, 0, 1, 1}),
                                      hex({0xdd, 0, 0, 0, 1, 1}),
                                      hex({0x80}),
                                      hex({0x81, 1, 2}),
                                      hex({0xde, 0, 1, 1, 2}),
                                      hex({0xdf, 0, 0, 0, 1, 1, 2}),
                                      times(limits::msgpack_depth, hex({0x91})) + hex({0xc0}),
                                      times(limits::msgpack_depth - 1, hex({0x81, 1})) +
                                          hex({0x80})};
  for (const auto& value : values) {
    INFO("first byte " << std::to_integer<int>(value[0]));
    const auto body = hex({0x94, 0xa1, 't', 1, 2}) + value;
    const auto parsed = parse_envelope(body);
    REQUIRE(parsed);
    CHECK(list(parsed->msg) == value);
    for (std::size_t size = 0; size < body.size(); ++size)
      CHECK_FALSE(parse_envelope(std::span{body}.first(size)));
    CHECK_FALSE(parse_envelope(body + hex({0})));
  }
}

TEST_CASE("what is not an envelope is an error that says why") {
  const auto array = "it is not an array of 4 or 5";
  const auto type = "its type is not a string of 1 to 255 bytes";
  const auto who = "an address is neither a number nor a string of 1 to 255 bytes";
  const auto msg = "its message is cut off, nested too deep or not msgpack";
  const auto meta = "its meta is not a well-formed map";
  const auto head = hex({0x94, 0xa1, 't', 1, 2});
  const auto head5 = hex({0x95, 0xa1, 't', 1, 2, 0xc0});
  struct row {
    const char* what;
    byte_list body;
    const char* why;
  };
  const std::vector<row> rows{
      {"nothing", {}, array},
      {"a map", hex({0x84, 0xa1, 't', 1, 2, 0xc0, 0, 0, 0, 0}), array},
      {"an array of 3", hex({0x93, 0xa1, 't', 1, 2}), array},
      {"an array of 6", hex({0x96, 0xa1, 't', 1, 2, 0xc0, 0x80, 0}), array},
      {"5 bytes that ask for 96 GB", hex({0xdd, 0xff, 0xff, 0xff, 0xff}), array},
      {"a type that is a number", hex({0x94, 1, 1, 2, 0xc0}), type},
      {"an empty type", hex({0x94, 0xa0, 1, 2, 0xc0}), type},
      {"a type of 256 bytes", hex({0x94, 0xda, 1, 0}) + times(256, of("t")) + hex({1, 2, 0xc0}),
       type},
      {"a type that is cut off", hex({0x94, 0xa9, 't', 1, 2, 0xc0}), type},
      {"a type of 4 GB", hex({0x94, 0xdb, 0xff, 0xff, 0xff, 0xff, 1, 2, 0xc0}), type},
      {"from is nil", hex({0x94, 0xa1, 't', 0xc0, 2, 0xc0}), who},
      {"from is negative", hex({0x94, 0xa1, 't', 0xff, 2, 0xc0}), who},
      {"from is a float", hex({0x94, 0xa1, 't', 0xca, 0, 0, 0, 0, 2, 0xc0}), who},
      {"to is an empty string", hex({0x94, 0xa1, 't', 1, 0xa0, 0xc0}), who},
      {"to is 256 bytes long",
       hex({0x94, 0xa1, 't', 1, 0xda, 1, 0}) + times(256, of("w")) + hex({0xc0}), who},
      {"to is bin", hex({0x94, 0xa1, 't', 1, 0xc4, 1, 'w', 0xc0}), who},
      {"no message", hex({0x94, 0xa1, 't', 1, 2}), msg},
      {"a message that is cut off", head + hex({0xa9, 'x'}), msg},
      {"a message of a byte that msgpack never uses", head + hex({0xc1}), msg},
      {"the same inside", head + hex({0x92, 1, 0xc1}), msg},
      {"a message of 4 G elements", head + hex({0xdd, 0xff, 0xff, 0xff, 0xff}), msg},
      {"a message of 4 G pairs", head + hex({0xdf, 0xff, 0xff, 0xff, 0xff}), msg},
      {"a message of an ext of 4 GB", head + hex({0xc9, 0xff, 0xff, 0xff, 0xff, 1}), msg},
      {"a message nested too deep",
       head + times(limits::msgpack_depth + 1, hex({0x91})) + hex({0xc0}), msg},
      {"a message nested a million deep", head + times(1'000'000, hex({0x91})) + hex({0xc0}), msg},
      {"a map key nested too deep",
       head + times(limits::msgpack_depth + 1, hex({0x81})) + hex({0xc0}), msg},
      {"bytes after the message", head + hex({0xc0, 0xc0}), "bytes follow its end"},
      {"a meta that is missing", head5, meta},
      {"a meta that is an array", head5 + hex({0x90}), meta},
      {"a meta that is nil", head5 + hex({0xc0}), meta},
      {"a meta that is cut off", head5 + hex({0x81, 1}), meta},
      {"bytes after the meta", head5 + hex({0x80, 0}), "bytes follow its end"},
  };
  for (const auto& [what, body, why] : rows) {
    INFO(what);
    const auto parsed = parse_envelope(body);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message() == std::string{"decode envelope: "} + why);
  }
}

TEST_CASE("an envelope that breaks the limits is not encoded") {
  byte_list out;
  const auto nil = hex({0xc0});
  const std::string too_long(256, 'n');
  const auto throws = [&](const envelope_view& envelope) {
    CHECK_THROWS_AS(append_envelope(envelope, out), std::length_error);
    CHECK(out.empty());
  };
  throws({"", {1, ""}, {2, ""}, nil, {}});
  throws({too_long, {1, ""}, {2, ""}, nil, {}});
  throws({"t", {0, too_long}, {2, ""}, nil, {}});
  throws({"t", {1, ""}, {0, too_long}, nil, {}});
  throws({"t", {1, ""}, {2, ""}, {}, {}});
  throws({"t", {1, ""}, {2, ""}, byte_list(limits::envelope - 4), {}});
}

TEST_CASE("an envelope of 16 MiB and not a byte more is encoded and read") {
  const auto size = static_cast<unsigned>(limits::envelope - 5 - 5);
  const auto msg =
      hex({0xc6, size >> 24U & 0xff, size >> 16U & 0xff, size >> 8U & 0xff, size & 0xff}) +
      byte_list(size);
  byte_list frame;
  append_envelope({"t", {1, ""}, {2, ""}, msg, {}}, frame);
  CHECK(frame.size() == frame_prefix_size + limits::envelope);
  REQUIRE(parse_envelope(body_of(frame)));
  frame.clear();
  CHECK_THROWS_AS(append_envelope({"t", {1, ""}, {128, ""}, msg, {}}, frame), std::length_error);
}

} // namespace
} // namespace coppice::wire
