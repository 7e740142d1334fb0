#include "support/catch.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/meta.hpp>

#include <map>
#include <msgpack.hpp>
#include <string>
#include <vector>

using namespace coppice;
using namespace coppice::wire;

namespace {

template <class Value>
std::vector<std::byte> packed(const Value& value) {
  msgpack::sbuffer out;
  msgpack::pack(out, value);
  const auto* first = reinterpret_cast<const std::byte*>(out.data());
  return {first, first + out.size()};
}

} // namespace

TEST_CASE("meta comes out as it went in, and nothing at all is no bytes") {
  const std::vector<envelope_meta> all{{},
                                       {.ask = 1},
                                       {.answers = ~std::uint64_t{0}},
                                       {.answers = 7, .failure = "worker_died"},
                                       {.ask = 1, .answers = 2, .failure = "x"}};
  for (const auto& meta : all) {
    buffer out;
    const auto bytes = encode_meta(meta, out);
    CHECK(bytes.empty() == (meta == envelope_meta{}));
    const auto parsed = parse_meta(bytes);
    REQUIRE(parsed);
    CHECK(*parsed == meta);
  }
}

TEST_CASE("keys of a later version are ignored, whatever they hold") {
  msgpack::sbuffer out;
  msgpack::packer<msgpack::sbuffer> packer{out};
  packer.pack_map(4);
  packer.pack("nfds");
  packer.pack(3);
  packer.pack(7); // no text at all
  packer.pack(std::vector<int>{1, 2, 3});
  packer.pack("id");
  packer.pack(9);
  packer.pack("more");
  packer.pack(std::map<std::string, int>{{"id", 1}});
  const auto* first = reinterpret_cast<const std::byte*>(out.data());
  const auto parsed = parse_meta({first, out.size()});
  REQUIRE(parsed);
  CHECK(*parsed == envelope_meta{.ask = 9});
}

TEST_CASE("meta that breaks the grammar says how") {
  const auto refusal = [](const std::vector<std::byte>& bytes) {
    const auto parsed = parse_meta(bytes);
    return parsed ? "taken" : parsed.error().message();
  };
  using text_map = std::map<std::string, std::string>;
  CHECK(refusal(packed(7)) == "decode meta: it is not a map");
  CHECK(refusal(packed(text_map{{"id", "seven"}})) ==
        "decode meta: an ask's number is not a number above 0");
  CHECK(refusal(packed(std::map<std::string, int>{{"re", 0}})) ==
        "decode meta: an ask's number is not a number above 0");
  CHECK(refusal(packed(text_map{{"error", ""}})) == "decode meta: its error is not a text");
  CHECK(refusal(packed(text_map{{"error", std::string(limits::reason + 1, 'x')}})) ==
        "decode meta: its error is not a text");
  auto cut = packed(text_map{{"error", "late"}});
  cut.pop_back();
  CHECK(refusal(cut) == "decode meta: its error is not a text");
  auto longer = packed(text_map{{"error", "late"}});
  longer.push_back(std::byte{0});
  CHECK(refusal(longer) == "decode meta: bytes follow its end");
}
