#pragma once
// An envelope's meta: what a message is to the messages before it. Pure; a view borrows its texts.
//
//   meta := { "id":uint?, "re":uint?, "error":str? }     in any order; other keys are ignored
//
// "id" is an ask's number and wants an answer, "re" the number of the ask that this one answers,
// "error" says why there is no answer (its msg is nil then). An ask's number has the incarnation of
// the asker in its upper half: an answer to a process that is no more is nobody's.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/wire/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace coppice::wire {

struct envelope_meta {
  std::uint64_t ask = 0;      ///< 0: no answer is wanted
  std::uint64_t answers = 0;  ///< 0: it is no answer
  std::string_view failure{}; ///< empty: the answer is there
  bool operator==(const envelope_meta&) const = default;
};

/// The asker's incarnation in an ask's number, as far as 32 bits tell it.
[[nodiscard]] constexpr std::uint32_t asker_incarnation(std::uint64_t ask) noexcept {
  return static_cast<std::uint32_t>(ask >> 32U);
}

/// Reads the bytes of one map, or nothing at all (no meta: everything is 0). The error's verb is
/// "decode", its object "meta".
[[nodiscard]] result<envelope_meta> parse_meta(std::span<const std::byte> bytes);

/// Writes it into `out`, which is cleared first. Nothing is written if everything is 0.
std::span<const std::byte> encode_meta(const envelope_meta& meta, buffer& out);

} // namespace coppice::wire
