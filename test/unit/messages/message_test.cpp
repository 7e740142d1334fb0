#include "support/catch.hpp"

#include <coppice/runtime/messages/message.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace coppice;

namespace {

template <class Value>
std::vector<std::byte> body_with(const Value& value) {
  msgpack::sbuffer packed;
  msgpack::pack(packed, value);
  std::vector<std::byte> frame;
  wire::append_envelope({"price",
                         {.id = 3, .name = {}},
                         {.id = 0, .name = "web/*"},
                         {reinterpret_cast<const std::byte*>(packed.data()), packed.size()},
                         {}},
                        frame);
  frame.erase(frame.begin(), frame.begin() + 4);
  return frame;
}

struct point {
  int x = 0, y = 0;
  MSGPACK_DEFINE(x, y)
};

} // namespace

TEST_CASE("a message gives its parts, and its value as whatever msgpack unpacks") {
  const auto body = body_with(point{3, 4});
  const auto m = message::parse(body);
  REQUIRE(m);
  CHECK(m->type() == "price");
  CHECK(m->from() == 3);
  CHECK(m->to() == address{"web/*"});
  CHECK_FALSE(m->is_ask());
  CHECK(m->as<point>().y == 4);
  CHECK(m->as<std::vector<int>>() == std::vector<int>{3, 4});
}

TEST_CASE("a value of another type says what it is") {
  const auto said = []<class Wanted>(const auto& value, Wanted) -> std::string {
    const auto body = body_with(value);
    try {
      const message m{*message::parse(body)};
      (void)m.as<Wanted>();
    } catch (const std::invalid_argument& wrong) {
      return wrong.what();
    }
    return "taken";
  };
  CHECK(said(std::string{"tea"}, 0) ==
        "message 'price' from 3: it holds a string of 3 bytes, which is no int");
  CHECK(said(std::map<std::string, int>{{"a", 1}}, false) ==
        "message 'price' from 3: it holds a map of 1, which is no bool");
  CHECK(said(300, std::uint8_t{}) ==
        "message 'price' from 3: it holds a whole number, which is no unsigned char");
  CHECK(said(-1, 0U) ==
        "message 'price' from 3: it holds a whole number, which is no unsigned int");
  CHECK(said(7, 0) == "taken");
}

TEST_CASE("a copy has bytes of its own") {
  std::optional<message> copy;
  {
    auto body = body_with(std::string{"kept"});
    const auto m = message::parse(body);
    REQUIRE(m);
    copy.emplace(*m);
    std::fill(body.begin(), body.end(), std::byte{0});
  }
  const message second{*copy};
  message third = std::move(*copy);
  copy.reset();
  CHECK(second.type() == "price");
  CHECK(second.as<std::string>() == "kept");
  third = second;
  CHECK(third.to() == address{"web/*"});
  CHECK(third.as<std::string>() == "kept");
}

TEST_CASE("an address is a number or a name") {
  CHECK(address{7}.text() == "7");
  CHECK(address{"web/2"}.text() == "web/2");
  CHECK(address{} == address{0});
  CHECK(address{7} != address{"7"});
}
