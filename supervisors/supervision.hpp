#pragma once
// The supervisor's thinking, after OTP's `supervisor`: events in, actions out. It starts nothing,
// waits for nothing and reads no clock; the actor around it (supervisor.hpp) does as it says.
//
// - Children start in order, each when the one before is ready; or all at once (parallel_start).
// - A child that ends is restarted by its restart type, after its backoff: it alone, or with its
//   group (one_for_all, rest_for_one), which goes down in reverse order and comes up in order.
// - Too many restarts within the intensity's period end the supervisor (escalate), or keep that one
//   child down for long (degrade).
// - A child that is to go although nothing has killed it is replaced: its successor becomes ready,
//   then it is stopped.
// - Stopping is a state: each child is asked, in reverse order, and killed when its time is over;
//   meanwhile every other event is still answered.
// - A child that cannot be started at boot ends the supervisor with that child's reason.
//
// What happens to one child in which state is the table in child_state.hpp. Not thread-safe. Pure:
// the same events with the same times and seed give the same actions.

#include <coppice/supervisors/child_list.hpp>
#include <coppice/supervisors/child_template.hpp>
#include <coppice/supervisors/supervising.hpp>
#include <coppice/supervisors/supervisor_spec.hpp>

#include <deque>
#include <optional>
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
  /// A dynamic supervisor: beside `children`, if any, there are those made from the template.
  supervision(std::string id, supervisor_spec spec, std::vector<child_spec> children,
              child_template dynamic, std::uint64_t seed);

  /// Answers one event. `now` must not run backwards.
  [[nodiscard]] supervising::actions decide(const supervising::event& what, monotonic_time now);

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const supervisor_spec& spec() const noexcept { return spec_; }
  [[nodiscard]] supervisor_state state() const noexcept { return state_; }
  [[nodiscard]] const child_list& children() const noexcept { return children_; }

private:
  /// Why it stops, which is what it says when it has.
  enum class stop_cause { none, asked, significant_child, failed_boot, intensity };

  // events, as they come in
  void on_begin();
  void on_ready(const supervising::child_ready& what);
  void on_ended(const supervising::child_ended& what);
  void on_retires(const supervising::child_retires& what);
  void on_timer(const supervising::timer_due& what);
  void on_stop();
  void on_hurry(monotonic_duration limit);
  void on_kill();
  void happen(supervised_child& child, child_event event, const ending* how = nullptr);
  [[nodiscard]] supervised_child* find(child_key key, std::uint64_t incarnation);

  // starting (supervision_start.cpp)
  void start(supervised_child& child);
  void queue_start(supervised_child& child);
  void start_next();
  void come_up(supervised_child& child);
  void time_out(supervised_child& child);
  void try_again(supervised_child& child);
  void prove(supervised_child& child);
  void announce_boot();

  // ends and restarts (supervision_restart.cpp)
  void fail_start(supervised_child& child, ending how);
  void die(supervised_child& child, const ending& how);
  void settle(supervised_child& child, const ending& how);
  void decide_restart(supervised_child& child, const ending& how, bool progress,
                      report_context context);
  void restart(supervised_child& child, const ending& how, bool progress, report_context context);
  void restart_alone_or_with_group(supervised_child& child, monotonic_duration delay);
  struct restart_verdict {
    bool allowed = true; ///< else the supervisor gives up
    monotonic_duration delay{};
  };
  [[nodiscard]] restart_verdict count_restart(supervised_child& child, const ending& how,
                                              bool progress, supervisor_report about);
  void give_up_over(const supervised_child& child, const ending& how);
  void stay_ended(supervised_child& child);
  [[nodiscard]] static bool is_forgotten(const supervised_child& child);
  void record_death(supervised_child& child, const ending& how, bool asked);
  void report_end(const supervised_child& child, const ending& how, report_context context);
  [[nodiscard]] restart_intensity& intensity_of(supervised_child& child);
  void note_restart(supervised_child& child, monotonic_duration delay);
  [[nodiscard]] bool is_last_hope(const supervised_child& child) const;
  [[nodiscard]] bool wants_restart(const child_spec& spec, const ending& how) const;
  [[nodiscard]] bool made_progress(const supervised_child& child, const ending& how) const;

  // calls (supervision_calls.cpp)
  void on_call(const supervising::call& what);
  void on_call(std::uint64_t ticket, const calls::start_child& what);
  void on_call(std::uint64_t ticket, const calls::stop_child& what);
  void on_call(std::uint64_t ticket, const calls::restart_child& what);
  void on_call(std::uint64_t ticket, const calls::delete_child& what);
  void on_call(std::uint64_t ticket, const calls::which_children& what);
  void on_call(std::uint64_t ticket, const calls::count_children& what);
  void on_call(std::uint64_t ticket, const calls::get_child_spec& what);
  void on_call(std::uint64_t ticket, const calls::scale& what);
  void start_new(supervised_child& child, std::uint64_t ticket, trial how);
  void start_in_turn(supervised_child& child);
  void stop_one(supervised_child& child);
  void fail_trial(supervised_child& child, const ending& how);
  void answer(std::uint64_t ticket, call_answer with);
  void answer_waiting(supervised_child& child);

  // dynamic children (supervision_dynamic.cpp)
  supervised_child& add_dynamic(std::uint64_t ticket);
  [[nodiscard]] unsigned lowest_free_number() const;
  [[nodiscard]] unsigned dynamic_children() const;

  // replacements (supervision_replace.cpp)
  void replace(supervised_child& child, monotonic_duration delay);
  void take_over(supervised_child& child);
  void fail_successor(supervised_child& child, ending how);
  void lose_second(supervised_child& child, const ending& how);
  void drop_successor(supervised_child& child);
  [[nodiscard]] bool inherit(supervised_child& child, const ending& how);
  [[nodiscard]] supervised_child& slot_of(supervised_child& either);

  // one_for_all and rest_for_one (supervision_group.cpp)
  void restart_group(child_key first, supervised_child& dead, monotonic_duration delay);
  void continue_group();
  void start_group();
  void end_in_group(supervised_child& child);
  void drop_group();
  [[nodiscard]] bool in_group(const supervised_child& child) const;

  // stopping (supervision_stop.cpp)
  void begin_stop(stop_cause cause, std::string reason);
  void continue_stop();
  [[nodiscard]] bool stop_all_of(supervised_child& child);
  void finish_stop();
  void ask(supervised_child& child);
  void hasten(supervised_child& child);
  void tell_to_die(supervised_child& child);
  void shut_down_for_significant(const supervised_child& child);

  // timers and reports
  void enter(supervised_child& child, child_state state);
  void wait_for(supervised_child& child, monotonic_duration delay);
  void arm(supervised_child& child, monotonic_time due);
  void forget_removed();
  void report(supervisor_report what);
  [[nodiscard]] supervisor_report report_about(const supervised_child& child,
                                               report_context context, std::string reason) const;

  std::string id_;
  supervisor_spec spec_;
  child_list children_;
  std::optional<child_template> template_;
  random_source random_;
  restart_intensity intensity_;
  supervisor_state state_ = supervisor_state::idle;

  std::deque<child_key> queue_;    // children whose turn to start has not come, in order
  std::optional<child_key> group_; // it and those after it go down, to come up again together
  std::vector<child_key> removed_; // to be forgotten once the event is answered
  std::size_t starting_ = 0;       // children that exist and have not been ready
  std::size_t booting_ = 0;        // children that have not booted

  /// A call that is answered when its child is up, or when it is gone.
  struct waiting_call {
    std::uint64_t ticket = 0;
    child_key child = 0;
    enum class until { up, gone } what = until::up;
  };
  std::vector<waiting_call> waiting_calls_;

  stop_cause cause_ = stop_cause::none;
  std::string cause_text_;
  std::string failed_child_;              // its id; stop_cause::failed_boot
  std::optional<monotonic_time> stop_by_; // hurried: no deadline is later
  std::uint64_t last_timer_ = 0;

  monotonic_time now_{};       // of the event that is being answered
  supervising::actions out_{}; // the answer so far
};

} // namespace coppice
