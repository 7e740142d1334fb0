#pragma once
// Messages that cannot be delivered: counted by reason, and logged at a rate that falls as they
// grow in number (the 1st, 2nd, 4th, 8th, ... of a reason). Loop thread only.

#include <coppice/actors/mail.hpp>
#include <coppice/runtime/log.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace coppice {

enum class dead_letter {
  no_such_address, ///< nobody has it, or nobody any more
  overloaded,      ///< too much waits there already
  asker_gone,      ///< an answer to a process that is no more
  unasked,         ///< an answer that nobody waits for: its ask is over, or never was
  reserved,        ///< a type of the library's own, from user code
};
[[nodiscard]] std::string_view to_string(dead_letter why) noexcept;

class dead_letters {
public:
  explicit dead_letters(logger& log) : log_{log} {}

  void add(dead_letter why, const wire::envelope_view& envelope);
  [[nodiscard]] std::uint64_t count(dead_letter why) const noexcept {
    return counts_[static_cast<std::size_t>(why)];
  }

private:
  logger& log_;
  std::array<std::uint64_t, 5> counts_{};
};

} // namespace coppice
