#pragma once
// The last deaths of one child, so that "why was it restarted?" has an answer. Values; pure.

#include <coppice/runtime/limits.hpp>
#include <coppice/supervisors/ending.hpp>
#include <coppice/supervisors/monotonic.hpp>

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
};

/// "restarted because of SIGSEGV after 12.4 s; delay 0.8 s", "ended because of exit code 0 after
/// 2 s", "stopped after 2 s".
[[nodiscard]] std::string to_text(const death& one);

/// The last limits::deaths_kept of them; costs nothing before the first.
class death_log {
public:
  void add(death one) {
    if (kept_.size() < limits::deaths_kept) {
      kept_.push_back(std::move(one));
    } else {
      kept_[oldest_] = std::move(one);
      oldest_ = (oldest_ + 1) % kept_.size();
    }
  }
  /// The last death is followed by a restart, `delay` later.
  void note_restart(monotonic_duration delay) {
    if (kept_.empty()) return;
    death& last = kept_[(oldest_ + kept_.size() - 1) % kept_.size()];
    last.restarted = true;
    last.delay = delay;
  }
  [[nodiscard]] std::size_t size() const noexcept { return kept_.size(); }
  [[nodiscard]] bool empty() const noexcept { return kept_.empty(); }
  /// Index 0 is the oldest that is kept.
  [[nodiscard]] const death& operator[](std::size_t index) const {
    return kept_[(oldest_ + index) % kept_.size()];
  }
  [[nodiscard]] const death& last() const { return (*this)[kept_.size() - 1]; }

private:
  std::vector<death> kept_;
  std::size_t oldest_ = 0;
};

} // namespace coppice
