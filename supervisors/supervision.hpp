#pragma once
// The supervisor's thinking, after OTP's `supervisor`: events in, actions out. It starts nothing,
// waits for nothing and reads no clock; the actor around it (supervisor.hpp) does as it says.
//
// - Children start in order, each when the one before is ready; or all at once (parallel_start).
// - A child that ends is restarted by its restart type, after its backoff.
// - Too many restarts within the intensity's period end the supervisor (escalate), or keep that one
//   child down for long (degrade).
// - Stopping is a state: each child is asked, in reverse order, and killed when its time is over;
//   meanwhile every other event is still answered.
// - A child that cannot be started at boot ends the supervisor with that child's reason.
//
// What happens to one child in which state is the table in child_state.hpp. Not thread-safe. Pure:
// the same events with the same times and seed give the same actions.

#include <coppice/supervisors/supervised_child.hpp>
#include <coppice/supervisors/supervising.hpp>
#include <coppice/supervisors/supervisor_spec.hpp>

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coppice {

/// The life of the supervisor itself.
enum class supervisor_state {
  idle,     ///< not begun; no child exists
  booting,  ///< some child has not been ready yet
  running,  ///< all children have started once
  stopping, ///< children are being stopped; nothing is started any more
  ended,    ///< no child is left; every event is ignored
};
[[nodiscard]] std::string_view to_string(supervisor_state state) noexcept;

class supervision {
public:
  /// `id` is the supervisor's own name in its reports. The specs must be valid (validate.hpp).
  supervision(std::string id, supervisor_spec spec, std::vector<child_spec> children,
              std::uint64_t seed);

  /// Answers one event. `now` must not run backwards.
  [[nodiscard]] supervising::actions decide(const supervising::event& what, monotonic_time now);

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const supervisor_spec& spec() const noexcept { return spec_; }
  [[nodiscard]] supervisor_state state() const noexcept { return state_; }
  [[nodiscard]] std::span<const supervised_child> children() const noexcept { return children_; }
  /// The child with this id, unless it has been removed.
  [[nodiscard]] std::optional<std::size_t> index_of(std::string_view child_id) const;

private:
  /// Why it stops, which is what it says when it has.
  enum class stop_cause { none, asked, significant_child, failed_boot, intensity };

  // events, as they come in
  void on_begin();
  void on_ready(const supervising::child_ready& what);
  void on_ended(const supervising::child_ended& what);
  void on_timer(const supervising::timer_due& what);
  void on_stop();
  void on_hurry(monotonic_duration limit);
  void on_kill();
  void happen(std::size_t index, child_event event, const ending* how = nullptr);

  // starting (supervision.cpp)
  void start(std::size_t index);
  void queue_start(std::size_t index);
  void start_next();
  void come_up(std::size_t index);
  void pass_boot(std::size_t index);
  void time_out(std::size_t index);
  void prove(std::size_t index);

  // ends and restarts (supervision_restart.cpp)
  void fail_start(std::size_t index, ending how);
  void die(std::size_t index, const ending& how);
  void settle(std::size_t index, const ending& how);
  void decide_restart(std::size_t index, const ending& how, bool progress, report_context context);
  void restart(std::size_t index, const ending& how, bool progress, report_context context);
  void stay_ended(std::size_t index);
  void record_death(std::size_t index, const ending& how, bool asked);
  [[nodiscard]] bool wants_restart(const child_spec& spec, const ending& how) const;
  [[nodiscard]] bool made_progress(const supervised_child& child, const ending& how) const;

  // stopping (supervision_stop.cpp)
  void begin_stop(stop_cause cause, std::string reason);
  void continue_stop();
  void finish_stop();
  void ask(std::size_t index);
  void hasten(std::size_t index);
  void tell_to_die(std::size_t index);
  void shut_down_for_significant(std::size_t index);

  // timers and reports
  void enter(std::size_t index, child_state state);
  void arm(std::size_t index, monotonic_time due);
  void report(supervisor_report what);
  [[nodiscard]] supervisor_report report_about(std::size_t index, report_context context,
                                               std::string reason) const;

  std::string id_;
  supervisor_spec spec_;
  std::vector<supervised_child> children_;
  random_source random_;
  restart_intensity intensity_;
  supervisor_state state_ = supervisor_state::idle;

  std::deque<std::size_t> queue_; // children whose turn to start has not come, in order
  std::size_t starting_ = 0;      // children in state starting
  std::size_t booting_ = 0;       // children that have not booted

  stop_cause cause_ = stop_cause::none;
  std::string cause_text_;
  std::size_t failed_child_ = 0;          // stop_cause::failed_boot
  std::optional<monotonic_time> stop_by_; // hurried: no deadline is later
  std::uint64_t last_timer_ = 0;

  monotonic_time now_{};       // of the event that is being answered
  supervising::actions out_{}; // the answer so far
};

} // namespace coppice
