#pragma once
// Messages that are the library's own.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace coppice {

inline constexpr std::string_view reserved_types = "coppice."; ///< how they begin
// A worker to the primary: the msg is a topic, a topic, or an ask's number.
inline constexpr std::string_view subscribe_type = "coppice.subscribe";
inline constexpr std::string_view unsubscribe_type = "coppice.unsubscribe";
inline constexpr std::string_view forget_type = "coppice.forget"; ///< nobody waits for its answer
// What answers an ask, and what says that nothing will.
inline constexpr std::string_view answer_type = "coppice.answer";
inline constexpr std::string_view failure_type = "coppice.failure";
/// The primary to a worker that drains: nothing comes after it but answers.
inline constexpr std::string_view last_type = "coppice.last";

/// The frame of that one, for the worker with this id.
[[nodiscard]] std::vector<std::byte> last_message(std::uint64_t to);

} // namespace coppice
