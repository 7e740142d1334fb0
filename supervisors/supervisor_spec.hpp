#pragma once
// What a supervisor does about its children, apart from who they are: plain values, after OTP's
// sup_flags().

#include <coppice/supervisors/restart_intensity.hpp>

#include <string_view>

namespace coppice {

/// Whose processes are started anew when one child has died.
enum class restart_strategy {
  one_for_one,  ///< only its own
  one_for_all,  ///< those of all children: the rest are stopped in reverse order, then all started
  rest_for_one, ///< its own, and those of the children that start after it, in the same way
};
inline constexpr auto one_for_one = restart_strategy::one_for_one;
inline constexpr auto one_for_all = restart_strategy::one_for_all;
inline constexpr auto rest_for_one = restart_strategy::rest_for_one;

/// What happens when restarts exceed the intensity.
enum class exceeded_policy {
  /// OTP: every restart counts, per supervisor. It stops all children and ends; its parent decides.
  escalate,
  /// Pools: only deaths without progress count, per slot. That slot stays down and is tried again
  /// at the backoff's max; the others serve on. Hence only with one_for_one.
  degrade,
};
inline constexpr auto escalate = exceeded_policy::escalate;
inline constexpr auto degrade = exceeded_policy::degrade;

/// Whether the end of significant children ends the supervisor. Ends that the supervisor caused do
/// not count, nor do those that are followed by a restart.
enum class auto_shutdown_policy { never, any_significant, all_significant };

[[nodiscard]] std::string_view to_string(restart_strategy strategy) noexcept;
[[nodiscard]] std::string_view to_string(exceeded_policy policy) noexcept;
[[nodiscard]] std::string_view to_string(auto_shutdown_policy policy) noexcept;

struct supervisor_spec {
  restart_strategy strategy = restart_strategy::one_for_one;
  restart_limit intensity{};
  exceeded_policy on_exceeded = exceeded_policy::escalate;
  auto_shutdown_policy auto_shutdown = auto_shutdown_policy::never;
  /// False: children start in order, each when the one before is ready, and stop in reverse order,
  /// one after the other. True (pools): all start, and all stop, at once.
  bool parallel_start = false;
  /// With `parallel_start`: so many may be starting at a time, at boot and after many deaths alike;
  /// the rest wait for their turn. At least 1.
  unsigned max_starting = 8;
};

} // namespace coppice
