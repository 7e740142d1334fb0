// Frames: however a stream is cut into pieces, the reader finds what the grammar says is in it. The
// first byte of the input chooses the pieces, the rest is the stream.

#include "must.hpp"

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/frame.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

using namespace coppice;
using namespace coppice::wire;

namespace {

using bytes = std::span<const std::byte>;

struct content {
  std::vector<std::vector<std::byte>> bodies;
  bool broken = false;
  std::size_t rest = 0; // bytes of a frame that is not whole, or that is broken, and all after it
  bool operator==(const content&) const = default;
};

// The grammar, as plainly as it can be said.
content by_grammar(bytes stream) {
  content all;
  while (stream.size() >= 4) {
    std::size_t length = 0;
    for (const auto byte : stream.first(4)) length = length * 256 + std::to_integer<unsigned>(byte);
    all.broken = length == 0 || length > limits::envelope;
    if (all.broken || stream.size() - 4 < length) break;
    const auto body = stream.subspan(4, length);
    all.bodies.emplace_back(body.begin(), body.end());
    stream = stream.subspan(4 + length);
  }
  all.rest = stream.size();
  return all;
}

content by_reader(bytes stream, std::size_t step) {
  frame_reader reader;
  content all;
  while (!stream.empty() && !all.broken) {
    const auto room = reader.room();
    must(!room.empty() && room.size() <= limits::data_read, "there is room within the limit");
    const auto size = std::min({step, room.size(), stream.size()});
    std::memcpy(room.data(), stream.data(), size);
    reader.received(size);
    stream = stream.subspan(size);
    auto body = reader.next();
    for (; body && *body; body = reader.next())
      all.bodies.emplace_back((*body)->begin(), (*body)->end());
    all.broken = !body;
  }
  all.rest = reader.held() + stream.size();
  return all;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto stream = std::as_bytes(std::span{data, size}).subspan(1);
  const std::size_t step = data[0] == 0 ? limits::data_read : data[0];
  must(by_reader(stream, step) == by_grammar(stream), "reader and grammar agree");
  return 0;
}
