// Properties of the codecs. A failure prints the seed that repeats it (RC_PARAMS).

#include "bytes.hpp"
#include "support/catch.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/control.hpp>
#include <coppice/runtime/wire/cursor.hpp>
#include <coppice/runtime/wire/envelope.hpp>

#include <rapidcheck.h>

namespace coppice::wire {
namespace {

using namespace wire_test;

// msgpack's own parser, which keeps nothing and accepts what the cursor should.
struct checker : msgpack::null_visitor {
  std::size_t depth = 0;
  bool start_array(std::uint32_t) { return ++depth <= limits::msgpack_depth; }
  bool start_map(std::uint32_t) { return ++depth <= limits::msgpack_depth; }
  bool end_array() { return --depth, true; }
  bool end_map() { return --depth, true; }
};

// Where msgpack sees the first value end; 0 if there is none.
std::size_t extent_by_msgpack(const byte_list& bytes) {
  std::size_t end = 0;
  checker visitor;
  const auto* data = reinterpret_cast<const char*>(bytes.data());
  return msgpack::parse(data, bytes.size(), end, visitor) ? end : 0;
}

// Bytes that are msgpack more often than bytes are.
rc::Gen<byte_list> almost_msgpack() {
  const auto byte =
      rc::gen::weightedOneOf<std::uint8_t>({{3, rc::gen::arbitrary<std::uint8_t>()},
                                            {2, rc::gen::inRange<std::uint8_t>(0x80, 0xa8)},
                                            {2, rc::gen::inRange<std::uint8_t>(0xc0, 0xe0)},
                                            {3, rc::gen::inRange<std::uint8_t>(0, 8)}});
  return rc::gen::map(rc::gen::container<std::vector<std::uint8_t>>(byte), [](const auto& bytes) {
    byte_list list;
    for (const auto b : bytes) list.push_back(static_cast<std::byte>(b));
    return list;
  });
}

TEST_CASE("the cursor and msgpack agree on where a value ends") {
  CHECK(rc::check([] {
    const auto bytes = *almost_msgpack();
    cursor at{bytes};
    const auto value = at.value();
    RC_ASSERT((value ? value->size() : 0) == extent_by_msgpack(bytes));
  }));
}

TEST_CASE("an envelope with any head and any well-formed message survives the wire") {
  CHECK(rc::check([](std::uint64_t from, std::uint64_t id) {
    const auto short_text = [](std::size_t least) {
      return rc::gen::suchThat(rc::gen::arbitrary<std::string>(), [=](const std::string& text) {
        return text.size() >= least && text.size() <= 255;
      });
    };
    const auto type = *short_text(1);
    const auto name = *short_text(0);
    const auto text = *rc::gen::arbitrary<std::vector<std::string>>();
    const auto msg = packed([&](auto& p) { p.pack(text); });
    byte_list frame;
    append_envelope({type, {from, ""}, {name.empty() ? id : 0, name}, msg, {}}, frame);
    const auto parsed = parse_envelope(std::span{frame}.subspan(4));
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(parsed->type == type);
    RC_ASSERT(parsed->from == (address{from, ""}));
    RC_ASSERT(parsed->to == (address{name.empty() ? id : 0, name}));
    RC_ASSERT((byte_list{parsed->msg.begin(), parsed->msg.end()} == msg));
  }));
}

TEST_CASE("control messages with any content survive the wire") {
  CHECK(rc::check([](const std::vector<std::uint64_t>& ids, const std::string& reason,
                     std::uint64_t number, std::uint32_t small) {
    buffer out;
    const handed_back back{ids, reason};
    RC_ASSERT(decode_control(encode_control(back, out)) == control_message{back});
    connections offer{{{number, small}}};
    for (const auto id : ids)
      if (offer.items.size() < limits::control_fds) offer.items.push_back({id, small});
    RC_ASSERT(decode_control(encode_control(offer, out)) == control_message{offer});
    const spawn request{number, "g" + reason, "n" + reason, number, number, small % 64};
    RC_ASSERT(decode_control(encode_control(request, out)) == control_message{request});
  }));
}

TEST_CASE("no bytes make the decoders do more than refuse") {
  CHECK(rc::check([] {
    const auto bytes = *almost_msgpack();
    (void)decode_control(bytes);
    (void)parse_envelope(bytes);
  }));
}

} // namespace
} // namespace coppice::wire
