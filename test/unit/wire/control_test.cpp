#include "bytes.hpp"
#include "support/catch.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/control.hpp>

#include <stdexcept>
#include <string>

namespace coppice::wire {
namespace {

using namespace wire_test;

template <class T>
T through_the_wire(const T& message) {
  buffer out;
  const auto decoded = decode_control(encode_control(message, out));
  REQUIRE(decoded);
  REQUIRE(std::holds_alternative<T>(*decoded));
  return std::get<T>(*decoded);
}

constexpr auto most = ~std::uint64_t{0};
constexpr std::int32_t largest_pid = 0x7fffffff;

TEST_CASE("every control message comes out as it went in") {
  const auto same = [](const auto& message) { CHECK(through_the_wire(message) == message); };
  same(hello{.version = 1, .pid = 71, .incarnation = 3});
  same(hello{.version = 0xffffffff, .pid = largest_pid, .incarnation = most});
  same(ready{});
  same(room{});
  same(handed_back{.connections = {}, .reason = ""});
  same(handed_back{.connections = {0, 1, most}, .reason = "draining"});
  same(handed_back{.connections = std::vector<std::uint64_t>(limits::control_ids, most),
                   .reason = std::string(limits::reason, 'x')});
  same(failed{.reason = "std::runtime_error: no database"});
  same(bye{});
  same(retire{.reason = "the cache is fragmented", .failed = false});
  same(retire{.reason = std::string(limits::reason, 'x'), .failed = true});
  same(connections{.items = {{.id = 5, .listener = 0}}});
  same(connections{.items = std::vector<offered>(limits::control_fds, {most, 0xffffffff})});
  same(drain{.deadline_ms = 25000});
  same(message_room{.id = most, .name = {}, .room = true});
  same(message_room{.id = 0, .name = std::string(limits::address_name, 'n'), .room = false});
  same(datagrams{.listeners = {0}});
  same(datagrams{.listeners = std::vector<std::uint32_t>(limits::control_fds, 0xffffffff)});
  same(spawn{.request_id = 9,
             .group = "web",
             .name = "web/2",
             .worker_id = 2,
             .incarnation = 4,
             .fds = spawn_control | spawn_data | spawn_ledger});
  same(spawn{.request_id = 9,
             .group = "web",
             .name = "web/2",
             .setup = {{setup_kind::clear_environment},
                       {setup_kind::unset_variable, "HOME"},
                       {setup_kind::set_variable, "A=1=2"},
                       {setup_kind::limit, "", {7, 10, most}},
                       {setup_kind::nice, "", {39}},
                       {setup_kind::processors, "", {0, 1023}},
                       {setup_kind::umask, "", {0777}},
                       {setup_kind::groups},
                       {setup_kind::groups, "", {4, 24}},
                       {setup_kind::gid, "", {0xfffffffe}},
                       {setup_kind::uid, "", {0}},
                       {setup_kind::directory, "/srv"},
                       {setup_kind::no_new_privileges}}});
  same(spare{.request_id = most});
  same(zygote_hello{.version = 1, .pid = 70, .threads = 1, .error = ""});
  same(zygote_hello{.version = 1, .pid = 70, .threads = 3, .error = "the process has 3 threads"});
  same(spawned{.request_id = 9, .pid = 72});
  same(spawn_failed{.request_id = 9, .reason = "clone: Resource temporarily unavailable"});
}

TEST_CASE("the bytes of control messages are those of the grammar") {
  buffer out;
  const auto is = [](std::span<const std::byte> bytes, const byte_list& expected) {
    CHECK(byte_list{bytes.begin(), bytes.end()} == expected);
  };
  is(encode_control(hello{.version = 1, .pid = 71, .incarnation = 3}, out),
     hex({0x94, 1, 1, 71, 3}));
  is(encode_control(ready{}, out), hex({0x91, 2}));
  is(encode_control(room{}, out), hex({0x91, 3}));
  is(encode_control(handed_back{{7, 8}, "no"}, out), hex({0x93, 4, 0x92, 7, 8, 0xa2}) + of("no"));
  is(encode_control(failed{"no"}, out), hex({0x92, 5, 0xa2}) + of("no"));
  is(encode_control(bye{}, out), hex({0x91, 6}));
  is(encode_control(retire{"no", true}, out), hex({0x93, 7, 0xa2}) + of("no") + hex({1}));
  is(encode_control(connections{{{7, 1}, {300, 2}}}, out),
     hex({0x92, 32, 0x92, 0x92, 7, 1, 0x92, 0xcd, 0x01, 0x2c, 2}));
  is(encode_control(drain{1000}, out), hex({0x92, 33, 0xcd, 0x03, 0xe8}));
  is(encode_control(message_room{7, "", true}, out), hex({0x93, 34, 7, 1}));
  is(encode_control(message_room{0, "w", false}, out), hex({0x93, 34, 0xa1, 'w', 0}));
  is(encode_control(datagrams{{1, 300}}, out), hex({0x92, 35, 0x92, 1, 0xcd, 0x01, 0x2c}));
  is(encode_control(spawn{1, "w", "w/1", 2, 3, 63}, out),
     hex({0x97, 64, 1, 0xa1}) + of("w") + hex({0xa3}) + of("w/1") + hex({2, 3, 63}));
  is(encode_control(spawn{1, "w", "w", 2, 3, 63, {{setup_kind::gid, "", {7}}}}, out),
     hex({0x98, 64, 1, 0xa1}) + of("w") + hex({0xa1}) + of("w") +
         hex({2, 3, 63, 0x91, 0x93, 9, 0xa0, 0x91, 7}));
  is(encode_control(zygote_hello{1, 70, 1, ""}, out), hex({0x95, 96, 1, 70, 1, 0xa0}));
  is(encode_control(spawned{9, 72}, out), hex({0x93, 97, 9, 72}));
  is(encode_control(spawn_failed{9, "no"}, out), hex({0x93, 98, 9, 0xa2}) + of("no"));
}

TEST_CASE("a control message of a later version is understood as far as it is known") {
  SECTION("elements after the last known field are ignored") {
    const auto later = hex({0x93, 2}) + of("\xa3new") + hex({0x81, 0xa1, 'k', 0xc0});
    REQUIRE(decode_control(later));
    CHECK(decode_control(later) == control_message{ready{}});
    const auto offer = hex({0x93, 32, 0x91, 0x94, 7, 1, 9, 0xc3, 0x90});
    CHECK(decode_control(offer) == control_message{connections{{{7, 1, 9}}}});
  }
  SECTION("a tag that is not known is told apart, whatever its fields") {
    CHECK(decode_control(hex({0x91, 30})) == control_message{unknown{30}});
    CHECK(decode_control(hex({0x92, 31, 0x93, 1, 0xc0, 0xa0})) == control_message{unknown{31}});
    CHECK(decode_control(hex({0x91, 0})) == control_message{unknown{0}});
    const auto beyond_u32 = hex({0x91, 0xcf, 0, 0, 0, 1, 0, 0, 0, 2});
    CHECK(decode_control(beyond_u32) == control_message{unknown{0x1'0000'0002}});
  }
  SECTION("a number may be written in more bytes than it needs") {
    CHECK(decode_control(hex({0x91, 0xcf, 0, 0, 0, 0, 0, 0, 0, 2})) == control_message{ready{}});
  }
}

/// A spawn whose last field is this.
byte_list spawn_with(std::initializer_list<unsigned> setup) {
  return hex({0x98, 64, 1, 0xa1, 'w', 0xa1, 'w', 2, 3, 0}) + hex(setup);
}
constexpr const char* meaningless = "setup has a step that means nothing";

TEST_CASE("what is not a control message is an error that says why") {
  const auto nested = [](std::size_t depth) {
    return hex({0x92, 2}) + times(depth, hex({0x91})) + hex({0xc0});
  };
  struct row {
    const char* what;
    byte_list bytes;
    const char* why;
  };
  const std::vector<row> rows{
      {"nothing", {}, "it is empty"},
      {"too much", byte_list(limits::control_packet + 1), "it is too long"},
      {"no array", hex({0xc0}), "it is not an array"},
      {"a number", hex({7}), "it is not an array"},
      {"a map", hex({0x81, 1, 2}), "it is not an array"},
      {"text", hex({0xa2}) + of("hi"), "it is not an array"},
      {"a byte that msgpack never uses", hex({0xc1}), "parse error"},
      {"the same inside", hex({0x92, 2, 0xc1}), "parse error"},
      {"an empty array", hex({0x90}), "tag is missing"},
      {"a tag that is text", hex({0x91, 0xa1, '2'}), "tag is not an unsigned number"},
      {"a negative tag", hex({0x91, 0xff}), "tag is not an unsigned number"},
      {"bytes after the end", hex({0x91, 2, 0}), "bytes follow its end"},
      {"two packets in one", hex({0x91, 2, 0x91, 2}), "bytes follow its end"},
      {"cut off in the array", hex({0x94, 1, 1, 71}), "insufficient bytes"},
      {"cut off in a number", hex({0x92, 33, 0xcd, 3}), "insufficient bytes"},
      {"cut off in text", hex({0x92, 5, 0xa3, 'n', 'o'}), "insufficient bytes"},
      {"5 bytes that ask for 96 GB", hex({0xdd, 0xff, 0xff, 0xff, 0xff}), "array size overflow"},
      {"5 bytes that ask for as large a map", hex({0xdf, 0xff, 0xff, 0xff, 0xff}),
       "map size overflow"},
      {"text of 4 GB", hex({0x92, 5, 0xdb, 0xff, 0xff, 0xff, 0xff}), "insufficient bytes"},
      {"bytes of 4 GB", hex({0x92, 5, 0xc6, 0xff, 0xff, 0xff, 0xff}), "insufficient bytes"},
      {"an ext of 4 GB", hex({0x92, 5, 0xc9, 0xff, 0xff, 0xff, 0xff, 1}), "insufficient bytes"},
      {"nested too deep", nested(limits::msgpack_depth), "depth size overflow"},
      {"nested as deep as the packet is long", nested(limits::control_packet - 3),
       "depth size overflow"},
      {"hello without incarnation", hex({0x93, 1, 1, 71}), "incarnation is missing"},
      {"hello of pid 0", hex({0x94, 1, 1, 0, 3}), "pid is zero"},
      {"hello of pid -1", hex({0x94, 1, 1, 0xff, 3}), "pid is not an unsigned number"},
      {"hello of pid 2^31", hex({0x94, 1, 1, 0xce, 0x80, 0, 0, 0, 3}), "pid is too large"},
      {"hello of version 2^32", hex({0x94, 1, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 71, 3}),
       "version is too large"},
      {"hello with a text for a number", hex({0x94, 1, 1, 71, 0xa1, '3'}),
       "incarnation is not an unsigned number"},
      {"hello with a float for a number", hex({0x94, 1, 1, 71, 0xca, 0, 0, 0, 0}),
       "incarnation is not an unsigned number"},
      {"failed without a reason", hex({0x91, 5}), "reason is missing"},
      {"failed with bytes for a reason", hex({0x92, 5, 0xc4, 1, 'x'}), "reason is not a string"},
      {"a reason that is too long",
       hex({0x92, 5, 0xda, 0x10, 0x01}) + times(limits::reason + 1, of("x")), "reason is too long"},
      {"handed_back with a number for the list", hex({0x93, 4, 7, 0xa0}),
       "connections is not an array"},
      {"handed_back with text in the list", hex({0x93, 4, 0x91, 0xa0, 0xa0}),
       "connections is not an unsigned number"},
      {"handed_back with too many",
       hex({0x93, 4, 0xdc, 0x10, 0x01}) + times(limits::control_ids + 1, hex({1})) + hex({0xa0}),
       "array size overflow"},
      {"retire with a 2 for a yes or no", hex({0x93, 7, 0xa0, 2}), "failed is too large"},
      {"no connection offered", hex({0x92, 32, 0x90}), "items is empty"},
      {"more connections than descriptors can come",
       hex({0x92, 32, 0xdc, 0, 65}) + times(65, hex({0x92, 1, 1})), "items is too long"},
      {"an offer that is no array", hex({0x92, 32, 0x91, 7}), "items has an item that is no array"},
      {"an offer without a listener", hex({0x92, 32, 0x91, 0x91, 7}), "listener is missing"},
      {"a listener of 2^32", hex({0x92, 32, 0x91, 0x92, 7, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0}),
       "listener is too large"},
      {"no socket for datagrams", hex({0x92, 35, 0x90}), "listeners is empty"},
      {"more of them than descriptors can come", hex({0x92, 35, 0xdc, 0, 65}) + times(65, hex({1})),
       "listeners is too long"},
      {"only the second offer wrong", hex({0x92, 32, 0x92, 0x92, 7, 1, 0x92, 0xc0, 1}),
       "id is not an unsigned number"},
      {"a deadline of 2^32", hex({0x92, 33, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0}),
       "deadline_ms is too large"},
      {"a spawn of no group", hex({0x97, 64, 1, 0xa0, 0xa1, 'w', 2, 3, 0}), "group is empty"},
      {"a spawn of no name", hex({0x97, 64, 1, 0xa1, 'w', 0xa0, 2, 3, 0}), "name is empty"},
      {"a spawn with a descriptor nobody knows", hex({0x97, 64, 1, 0xa1, 'w', 0xa1, 'w', 2, 3, 64}),
       "fds is too large"},
      {"settings that are no list", spawn_with({5}), "setup is not an array"},
      {"a step that is no array", spawn_with({0x91, 9}), "setup has an item that is no array"},
      {"a step of kind 0", spawn_with({0x91, 0x93, 0, 0xa0, 0x90}), meaningless},
      {"a step of a kind nobody knows", spawn_with({0x91, 0x93, 13, 0xa0, 0x90}),
       "kind is too large"},
      {"a step without numbers", spawn_with({0x91, 0x92, 9, 0xa0}), "numbers is missing"},
      {"a gid that is none", spawn_with({0x91, 0x93, 9, 0xa0, 0x90}), meaningless},
      {"two uids", spawn_with({0x91, 0x93, 10, 0xa0, 0x92, 1, 2}), meaningless},
      {"the uid that means any", spawn_with({0x91, 0x93, 10, 0xa0, 0x91, 0xce, 255, 255, 255, 255}),
       meaningless},
      {"a nice value of 20", spawn_with({0x91, 0x93, 5, 0xa0, 0x91, 40}), meaningless},
      {"a limit of two numbers", spawn_with({0x91, 0x93, 4, 0xa0, 0x92, 1, 2}), meaningless},
      {"no processors", spawn_with({0x91, 0x93, 6, 0xa0, 0x90}), meaningless},
      {"a variable of no name", spawn_with({0x91, 0x93, 3, 0xa2, '=', '1', 0x90}), meaningless},
      {"a variable with a zero", spawn_with({0x91, 0x93, 3, 0xa3, 'A', '=', 0, 0x90}), meaningless},
      {"a directory that is relative", spawn_with({0x91, 0x93, 11, 0xa1, 'a', 0x90}), meaningless},
      {"a spawned pid of 0", hex({0x93, 97, 9, 0}), "pid is zero"},
  };
  for (const auto& [what, bytes, why] : rows) {
    INFO(what);
    const auto decoded = decode_control(bytes);
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().message() == std::string{"decode control packet: "} + why);
  }
}

TEST_CASE("every cut and every single changed byte of a control message is answered") {
  buffer out;
  const auto whole = encode_control(spawn{300, "web", "web/2", 2, 70000, 63}, out);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(decode_control(whole.first(size)));
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      byte_list changed{whole.begin(), whole.end()};
      changed[at] = static_cast<std::byte>(value);
      const auto decoded = decode_control(changed); // either way, and nothing worse
      if (!decoded) CHECK(decoded.error().verb == "decode");
    }
  }
}

TEST_CASE("texts are cut to their bound, and not inside a character") {
  const std::string ascii(limits::reason + 10, 'x');
  CHECK(through_the_wire(failed{ascii}).reason == ascii.substr(0, limits::reason));
  std::string umlauts = "x";
  while (umlauts.size() < limits::reason + 10) umlauts += "\xc3\xa4";
  CHECK(through_the_wire(failed{umlauts}).reason == umlauts.substr(0, limits::reason - 1));
}

TEST_CASE("a list longer than its bound is not encoded") {
  buffer out;
  const connections offer{std::vector<offered>(limits::control_fds + 1)};
  CHECK_THROWS_AS(encode_control(offer, out), std::length_error);
  const handed_back back{std::vector<std::uint64_t>(limits::control_ids + 1), ""};
  CHECK_THROWS_AS(encode_control(back, out), std::length_error);
}

TEST_CASE("the largest control messages fit into one packet") {
  buffer out;
  const std::string text(limits::reason, 'x');
  const handed_back back{std::vector<std::uint64_t>(limits::control_ids, most), text};
  CHECK(encode_control(back, out).size() <= limits::control_packet);
  CHECK(encode_control(spawn{most, text, text, most, most, 63}, out).size() <=
        limits::control_packet);
}

TEST_CASE("each message knows its name and how many descriptors it brings") {
  CHECK(name_of(unknown{7}) == "unknown");
  CHECK(name_of(hello{}) == "hello");
  CHECK(name_of(handed_back{}) == "handed_back");
  CHECK(name_of(spawn_failed{}) == "spawn_failed");
  CHECK(descriptors_of(hello{}) == 0);
  CHECK(descriptors_of(connections{{{1, 1}, {2, 1}}}) == 2);
  CHECK(descriptors_of(spawn{1, "w", "w/1", 1, 1, spawn_control | spawn_err}) == 2);
  CHECK(descriptors_of(spawned{1, 72}) == 1);
}

} // namespace
} // namespace coppice::wire
