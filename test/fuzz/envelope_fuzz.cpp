// Envelopes: the cursor agrees with msgpack's own parser on where each value ends, and an envelope
// that is understood means the same when it is encoded and parsed again.

#include "must.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/cursor.hpp>
#include <coppice/runtime/wire/envelope.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <msgpack.hpp>
#include <vector>

using namespace coppice::wire;

namespace {

using bytes = std::span<const std::byte>;

// Keeps nothing, and accepts what the cursor should.
struct checker : msgpack::null_visitor {
  std::size_t depth = 0;
  bool start_array(std::uint32_t) { return ++depth <= coppice::limits::msgpack_depth; }
  bool start_map(std::uint32_t) { return ++depth <= coppice::limits::msgpack_depth; }
  bool end_array() { return --depth, true; }
  bool end_map() { return --depth, true; }
};

// How long the first value is, as msgpack sees it; 0 if there is none.
std::size_t extent_by_msgpack(bytes input) {
  std::size_t end = 0;
  checker visitor;
  const auto* data = reinterpret_cast<const char*>(input.data());
  return !input.empty() && msgpack::parse(data, input.size(), end, visitor) ? end : 0;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span{data, size});

  cursor at{input};
  const auto value = at.value();
  must((value ? value->size() : 0) == extent_by_msgpack(input), "cursor and msgpack agree");

  const auto parsed = parse_envelope(input);
  if (!parsed) {
    must(parsed.error().verb == "decode" && !parsed.error().reason.empty(), "an error says why");
    return 0;
  }
  must(extent_by_msgpack(parsed->msg) == parsed->msg.size(), "msg is one value");
  must(parsed->meta.empty() || extent_by_msgpack(parsed->meta) == parsed->meta.size(),
       "meta is one value");

  std::vector<std::byte> frame;
  append_envelope(*parsed, frame);
  const auto again = parse_envelope(std::span{frame}.subspan(4));
  must(again.has_value(), "what was encoded parses");
  must(again->type == parsed->type && again->from == parsed->from && again->to == parsed->to &&
           std::ranges::equal(again->msg, parsed->msg) &&
           std::ranges::equal(again->meta, parsed->meta),
       "the same after a round trip");
  return 0;
}
