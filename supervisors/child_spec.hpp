#pragma once
// What a supervisor must know about one child, besides how to start it: plain values, after OTP's
// child_spec(). Every field has a default, so designated initializers name only what differs.

#include <coppice/supervisors/backoff.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace coppice {

/// When an ended child is started again (OTP: Restart).
enum class restart_type {
  permanent, ///< always
  transient, ///< unless it ended well
  temporary, ///< never; it is forgotten once it has ended
};
inline constexpr auto permanent = restart_type::permanent;
inline constexpr auto transient = restart_type::transient;
inline constexpr auto temporary = restart_type::temporary;

enum class child_type {
  worker,
  supervisor, ///< another supervisor: it is given the time to stop its own children
};

[[nodiscard]] std::string_view to_string(restart_type type) noexcept;
[[nodiscard]] std::string_view to_string(child_type type) noexcept;

/// In which order a child is replaced that is to go although nothing has killed it: it asked for
/// it, or has reached a limit.
enum class replacement {
  start_first, ///< its successor becomes ready, then it is stopped: for a moment there are two
  stop_first,  ///< it is stopped, then its successor starts: there are never two
};
inline constexpr auto start_first = replacement::start_first;
inline constexpr auto stop_first = replacement::stop_first;

/// How long a child may take to stop once it was asked to: a duration (`.shutdown = 5s`), or one of
/// the constants `brutal_kill` and `infinity`.
class shutdown_time {
public:
  /// Asked, and killed if it has not ended after `limit`.
  template <class Rep, class Period>
  constexpr shutdown_time(std::chrono::duration<Rep, Period> limit)
      : kind_{kind::limited},
        limit_{limit} {}

  /// Killed without being asked.
  [[nodiscard]] static constexpr shutdown_time at_once() noexcept { return {kind::brutal}; }
  /// Asked, and waited for however long it takes; the right choice for supervisors.
  [[nodiscard]] static constexpr shutdown_time unlimited() noexcept { return {kind::unlimited}; }

  [[nodiscard]] constexpr bool is_brutal() const noexcept { return kind_ == kind::brutal; }
  /// Nothing if it is unlimited or brutal.
  [[nodiscard]] constexpr std::optional<std::chrono::milliseconds> limit() const noexcept {
    return kind_ == kind::limited ? std::optional{limit_} : std::nullopt;
  }
  bool operator==(const shutdown_time&) const = default;

private:
  enum class kind { brutal, limited, unlimited };
  constexpr shutdown_time(kind k) noexcept : kind_{k} {}

  kind kind_;
  std::chrono::milliseconds limit_{0};
};
inline constexpr shutdown_time brutal_kill = shutdown_time::at_once();
inline constexpr shutdown_time infinity = shutdown_time::unlimited();

struct child_spec {
  /// Unique within its supervisor; required.
  std::string id{};
  restart_type restart = restart_type::permanent;
  /// Default: 5 s for workers, infinity for supervisors.
  std::optional<shutdown_time> shutdown{};
  child_type type = child_type::worker;
  /// Its end by itself may end the supervisor, see supervisor_spec::auto_shutdown. Only for
  /// transient and temporary children.
  bool significant = false;
  coppice::backoff backoff{};
  coppice::replacement replacement = coppice::replacement::start_first;
  /// A start that is not ready after so long has failed. Default: 60 s for workers; none for
  /// supervisors, whose own children are each bounded.
  std::optional<std::chrono::milliseconds> ready_timeout{};
};

/// The shutdown that counts, defaults applied.
[[nodiscard]] shutdown_time shutdown_of(const child_spec& spec) noexcept;
/// The ready timeout that counts, defaults applied; nothing: it may take for ever.
[[nodiscard]] std::optional<std::chrono::milliseconds>
ready_timeout_of(const child_spec& spec) noexcept;

} // namespace coppice
