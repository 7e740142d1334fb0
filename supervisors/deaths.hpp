#pragma once
// The last deaths of one child, so that "why was it restarted?" has an answer. Values; pure.

#include <coppice/runtime/limits.hpp>
#include <coppice/supervisors/ending.hpp>
#include <coppice/supervisors/monotonic.hpp>
#include <coppice/supervisors/restart_intensity.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace coppice {

struct death {
  monotonic_time when{};
  std::uint64_t incarnation = 0;
  coppice::ending ending{};    ///< how and why, and the pid
  monotonic_duration uptime{}; ///< from its start, not from ready
  bool was_ready = false;
  bool asked = false;     ///< the supervisor wanted it to end
  bool restarted = false; ///< `delay` later; otherwise it stayed down
  monotonic_duration delay{};
  unsigned count = 0; ///< restarts within the period then, this one included
};

/// "restarted because of SIGSEGV after 12.4 s; delay 0.8 s; 3 of 5 in 30 s", "ended because of exit
/// code 0 after 2 s", "stopped after 2 s".
[[nodiscard]] std::string to_text(const death& one, const restart_limit& limit);

/// The last limits::deaths_kept of them; costs nothing before the first. Most children die of the
/// same few reasons, so that each reason is kept once.
class death_log {
public:
  void add(const death& one);
  /// The last death is followed by a restart, `delay` later, the `count`th within the period.
  void note_restart(monotonic_duration delay, std::size_t count);
  [[nodiscard]] std::size_t size() const noexcept { return kept_.size(); }
  [[nodiscard]] bool empty() const noexcept { return kept_.empty(); }
  /// Index 0 is the oldest that is kept.
  [[nodiscard]] death operator[](std::size_t index) const;
  [[nodiscard]] death last() const { return (*this)[kept_.size() - 1]; }

private:
  /// A death without the text.
  struct entry {
    monotonic_time when{};
    std::uint64_t incarnation = 0;
    monotonic_duration uptime{};
    monotonic_duration delay{};
    std::int32_t pid = 0;
    std::uint16_t count = 0;
    std::uint8_t reason = 0; ///< its place in reasons_
    ending::kind how : 2 = ending::well;
    bool progress : 1 = false;
    bool was_ready : 1 = false;
    bool asked : 1 = false;
    bool restarted : 1 = false;
  };
  static_assert(limits::deaths_kept <= 256, "a byte tells the reasons apart");
  static_assert(limits::restarts_counted < 65'535, "and two bytes count what a limit may allow");

  entry& place_of_next();
  [[nodiscard]] std::uint8_t place_of(const std::string& reason);

  std::vector<entry> kept_;
  std::vector<std::string> reasons_;
  std::size_t oldest_ = 0;
};

} // namespace coppice
