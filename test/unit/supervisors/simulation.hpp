#pragma once
// A supervisor among children that start, die, hang, retire and refuse to stop at random, in
// virtual time. After each step the invariants of supervision are checked; a breach throws with
// what was broken. The same seed gives the same run.

#include <coppice/supervisors/deadlines.hpp>
#include <coppice/supervisors/supervision.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace coppice::test {

using namespace std::chrono_literals;

struct span_of_time {
  monotonic_duration least{};
  monotonic_duration most{};
};

/// How the children behave; shares are in [0, 1].
struct habits {
  span_of_time start{1ms, 50ms}; ///< from start to ready
  span_of_time life{0ms, 10s};   ///< from ready to death
  span_of_time stop{0ms, 100ms}; ///< from being asked to the end
  double fails_to_start = 0.05;
  double never_ready = 0; ///< hangs in its start
  double dies_in_start = 0;
  double ends_well = 0.1;
  double useful = 0.5;         ///< of the deaths: after progress
  double ignores_stop = 0;     ///< has to be killed
  double retires = 0;          ///< wants to be replaced some time in its life
  double retires_failed = 0.3; ///< of those: because it has failed
  double says_it_twice = 0;    ///< a stale or doubled message follows each end
};

class simulation {
public:
  simulation(supervisor_spec spec, std::vector<child_spec> children, habits h, std::uint64_t seed,
             const std::optional<child_template>& dynamic = {});

  /// Runs to this much virtual time after the start, or to the supervisor's end.
  void run_until(monotonic_duration length);
  /// Asks; the answer must come, once, before the supervisor's end.
  void ask(calls::request what);
  void stop() { feed(supervising::stop_requested{}); }
  void hurry(monotonic_duration limit) { feed(supervising::hurry{limit}); }
  void kill() { feed(supervising::kill{}); }

  [[nodiscard]] const supervision& core() const { return core_; }
  [[nodiscard]] std::uint64_t faults() const { return faults_; }
  /// How often there were two incarnations of a child.
  [[nodiscard]] std::uint64_t replacements() const { return replacements_; }
  /// Of all slots, over the whole time so far.
  [[nodiscard]] double share_up() const;
  /// The final word, if it has been said: "stopped", "failed_start", "give_up".
  [[nodiscard]] const std::string& final_word() const { return final_word_; }

private:
  /// What really exists of a child, beside what the core thinks.
  struct process {
    bool ready = false;
    bool asked = false;
    bool killed = false;
    std::uint64_t plan = 0; // events of another plan have been overtaken
    bool stubborn = false;
    bool progress = false;
  };
  struct slot {
    std::uint64_t last = 0;                    // the latest incarnation's number
    std::uint64_t ready = 0;                   // the latest one that was ready
    std::uint64_t retired = 0;                 // the latest one that wanted to be replaced
    std::map<std::uint64_t, process> living{}; // by incarnation
  };
  struct happening {
    supervising::event what;
    child_key child = 0;
    std::uint64_t incarnation = 0;
    std::uint64_t plan = 0; // 0: happens whatever else does
  };

  void feed(const supervising::event& what);
  void act(const supervising::start_child& what);
  void act(const supervising::stop_child& what);
  void act(const supervising::arm_timer& what);
  void act(const supervising::note& what);
  void act(const supervising::report_up&);
  void act(const supervising::adopt_child& what) { slots_[what.child] = {}; }
  void act(const supervising::forget_child& what);
  void act(const supervising::reply& what);
  void act(const supervising::stopped&) { say("stopped"); }
  void act(const supervising::report_failed_start&) { say("failed_start"); }
  void act(const supervising::give_up&) { say("give_up"); }

  void happen(const happening& what);
  void plan_end(child_key key, std::uint64_t incarnation, monotonic_duration after, ending how);
  [[nodiscard]] process* find(child_key key, std::uint64_t incarnation);
  void check_one(const supervised_child& child) const;
  [[nodiscard]] static supervision core_of(supervisor_spec spec, std::vector<child_spec> children,
                                           std::uint64_t seed,
                                           const std::optional<child_template>& dynamic);
  void later(monotonic_duration after, happening what) {
    future_.emplace(now_ + after, std::move(what));
  }
  void say(std::string word);
  void check();
  [[nodiscard]] bool any_alive_after(child_key key) const;
  /// Throws `what`, with the child it is about if there is one.
  void require(bool holds, const char* what, const supervised_child* who = nullptr) const;
  [[nodiscard]] monotonic_duration within(span_of_time span);
  [[nodiscard]] bool chance(double share);

  std::uint64_t seed_;
  supervision core_;
  habits habits_;
  random_source random_;
  deadlines timers_;
  std::multimap<monotonic_time, happening> future_;
  std::map<child_key, slot> slots_;
  monotonic_time begin_{1h};
  monotonic_time now_{1h};
  std::uint64_t plans_ = 0;
  std::uint64_t faults_ = 0;
  std::uint64_t replacements_ = 0;
  std::deque<monotonic_time> restarts_; // that were granted, within the intensity's period
  std::uint64_t last_ticket_ = 0;
  std::set<std::uint64_t> unanswered_;
  bool by_call_ = false; ///< a call is being answered: it may ask anybody to stop
  unsigned ups_ = 0;
  monotonic_duration time_up_{};
  std::string final_word_;
};

} // namespace coppice::test
