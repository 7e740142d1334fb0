#pragma once
// What can be asked of a running supervisor, and what it answers: OTP's start_child,
// terminate_child (here stop_child), restart_child, delete_child, which_children, count_children
// and get_childspec, and `scale`. Plain values without functions or handles, so that the same calls
// can come from code of the service and from a control socket.

#include <coppice/supervisors/child_spec.hpp>
#include <coppice/supervisors/child_state.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

namespace coppice {

/// Why a call was refused. Where OTP knows the error, it has OTP's name.
enum class call_error {
  already_started, ///< start_child: a child with this id runs
  already_present, ///< start_child: a child with this id is known, and does not run
  not_found,       ///< there is no such child, or no such supervisor
  running,         ///< restart_child, delete_child: it runs, or is being stopped
  restarting,      ///< the same: it waits to be started again
  dynamic_child,   ///< OTP's simple_one_for_one: dynamic children are forgotten once they end
  max_children,    ///< the supervisor has as many dynamic children as it may have
  invalid_spec,    ///< start_child: the spec is not valid, or not of the kind that is needed
  not_dynamic,     ///< scale: its children are not made from one template
  start_failed,    ///< the child ended before it was ready
  shutting_down,   ///< the supervisor is ending, or has ended
};
[[nodiscard]] std::string_view to_string(call_error code) noexcept;

struct call_failure {
  call_error code = call_error::not_found;
  std::string text{}; ///< for people: "restart_child a: running"
  bool operator==(const call_failure&) const = default;
};

template <class T>
using call_result = tl::expected<T, call_failure>;

namespace calls {

/// Adds a child and starts it; it is the last one in start order. Answered when it is ready
/// (child_info), or has failed: then it is forgotten again. A dynamic supervisor makes the child
/// from its template: there `spec` must be empty, elsewhere it is required.
struct start_child {
  std::optional<child_spec> spec{};
  /// Dynamic children: added to what the template's start is told (OTP: ExtraArgs).
  std::vector<std::string> args{};
};
/// Stops the child: it is asked, and killed when its `shutdown` is over. Answered when it has
/// ended; with success, too, if it did not run. Its spec is kept, except that of a temporary or
/// dynamic child. Under one_for_all and rest_for_one a later restart of its group starts it again,
/// as in OTP.
struct stop_child {
  std::string id{};
};
/// Starts a child that is down. Answered like start_child; one that fails stays down.
struct restart_child {
  std::string id{};
};
/// Forgets a child that is down.
struct delete_child {
  std::string id{};
};
/// Every child, in start order: std::vector<child_info>.
struct which_children {};
/// child_counts.
struct count_children {};
/// child_spec.
struct get_child_spec {
  std::string id{};
};
/// Dynamic supervisors, pools among them: as many children as that. New ones take the lowest free
/// numbers; those with the highest numbers are stopped. Answered at once (scaled): starts and ends
/// follow.
struct scale {
  unsigned children = 0;
};

using request = std::variant<start_child, stop_child, restart_child, delete_child, which_children,
                             count_children, get_child_spec, scale>;

} // namespace calls

/// The name of the call: "start_child".
[[nodiscard]] std::string_view name_of(const calls::request& what) noexcept;

struct child_info {
  std::string id{};
  child_type type = child_type::worker;
  child_state state = child_state::down;
  std::uint64_t incarnation = 0; ///< 0: never started
  std::int32_t pid = 0;          ///< of its process; 0: none of its own, or not up
  bool degraded = false;
  /// Its last end: "restarted because of SIGSEGV after 12.4 s; delay 0.8 s; 3 of 5 in 30 s"; empty:
  /// none so far.
  std::string why{};
  bool operator==(const child_info&) const = default;
};

struct child_counts {
  std::size_t specs = 0;       ///< children, dead or alive
  std::size_t active = 0;      ///< that exist now, those that start or stop included
  std::size_t supervisors = 0; ///< of type supervisor, dead or alive
  std::size_t workers = 0;     ///< of type worker, dead or alive
  bool operator==(const child_counts&) const = default;
};

struct scaled {
  unsigned before = 0; ///< dynamic children, those on their way out not counted
  unsigned after = 0;
  bool operator==(const scaled&) const = default;
};

/// What an answer holds depends on the call; the first: nothing but success.
using call_value = std::variant<std::monostate, child_info, std::vector<child_info>, child_counts,
                                child_spec, scaled>;
using call_answer = call_result<call_value>;
[[nodiscard]] call_answer refused(call_error code, std::string text);

} // namespace coppice
