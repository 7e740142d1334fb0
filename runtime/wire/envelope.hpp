#pragma once
// Envelopes: what workers send each other over their data channels, and the hub passes on. Only the
// head is looked at here; the message inside is copied as bytes. Pure, no allocation but in the
// caller's buffers. A view borrows its bytes and texts.
//
//   envelope := [type, from, to, msg]          one msgpack array of 4 ...
//             | [type, from, to, msg, meta]    ... or 5
//   type     := str, 1 to 255 bytes
//   from, to := uint (a worker's id; 0 is the primary) | str, 1 to 255 bytes (a name)
//   msg      := any msgpack value, nested at most 32 deep
//   meta     := map, nested at most 32 deep

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/wire/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace coppice::wire {

/// A worker's number or a name.
struct address {
  std::uint64_t id = 0;    ///< if there is no name
  std::string_view name{}; ///< "web/2", "web", "topic:prices"; empty: `id` counts
  [[nodiscard]] bool is_name() const noexcept { return !name.empty(); }
  bool operator==(const address&) const = default;
};

struct envelope_view {
  std::string_view type;
  address from;
  address to;
  std::span<const std::byte> msg;  ///< one msgpack value
  std::span<const std::byte> meta; ///< one msgpack map, or empty
};

/// Reads the head of one frame's body, and checks that the rest is well-formed without looking at
/// it. Nothing may follow. The error's verb is "decode", its object "envelope".
[[nodiscard]] result<envelope_view> parse_envelope(std::span<const std::byte> body);

/// Everything of the envelope's frame that stands before `msg`, length prefix included, into `out`,
/// which is cleared first. The frame is these bytes, then msg, then meta: so the hub stamps another
/// head on a message without copying it. Throws std::length_error if the envelope breaks the
/// limits; that `msg` and `meta` are msgpack is the caller's word.
std::span<const std::byte> encode_head(const envelope_view& envelope, buffer& out);

/// The whole frame, put behind what is in `out`. Throws as encode_head does.
void append_envelope(const envelope_view& envelope, std::vector<std::byte>& out);

} // namespace coppice::wire
