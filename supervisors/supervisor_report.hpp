#pragma once
// What a supervisor says about what it does, as a structure, after OTP's supervisor reports
// (supervisor, context, reason, offender); `to_text` makes the log line. Values; pure.

#include <coppice/supervisors/child_spec.hpp>
#include <coppice/supervisors/monotonic.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coppice {

enum class report_context {
  started,          ///< a child is ready
  child_terminated, ///< a child ended and nobody had asked it to
  start_error,      ///< a child ended, or was killed, before it was ready
  shutdown_error,   ///< a child did not stop in time, or not in good order
  retires,          ///< a child is to be replaced although nothing has killed it
  degraded,         ///< a slot keeps dying without progress and is tried only now and then
  recovered,        ///< a degraded slot is in good health again
  shutdown, ///< the supervisor ends by its own decision: intensity, boot failure, significant
};
[[nodiscard]] std::string_view to_string(report_context context) noexcept;

struct supervisor_report {
  /// The child that it is about.
  struct offender_info {
    std::string id{};
    std::uint64_t incarnation = 0;
    std::int32_t pid = 0;
    restart_type restart = restart_type::permanent;
  };
  /// What a restart counts against.
  struct count_info {
    std::size_t restarts = 0;
    unsigned allowed = 0;
    std::chrono::milliseconds period{0};
  };

  std::string supervisor{};
  report_context context = report_context::child_terminated;
  std::string reason{};
  bool well = false; ///< of an end: it was a good one
  std::optional<offender_info> offender{};
  std::optional<monotonic_duration> uptime{};
  /// Set if the child is restarted, or tried again: so much later.
  std::optional<monotonic_duration> delay{};
  std::optional<count_info> count{};
};

/// "web/2 (incarnation 3, pid 71): restarted because of SIGSEGV after 12.4 s; delay 0.8 s; 3 of 5
/// in 30 s"
[[nodiscard]] std::string to_text(const supervisor_report& report);

} // namespace coppice
