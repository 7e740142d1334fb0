#pragma once
// The actor behind spawn_supervisor. It decides nothing: events go into `supervision`, and what
// comes out is done. Lives on the actors' thread, from spawn to quit.

#include <coppice/supervisors/deadlines.hpp>
#include <coppice/supervisors/supervision.hpp>
#include <coppice/supervisors/supervisor.hpp>

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace coppice {

/// To itself: the actor of a child has ended.
struct child_actor_gone {
  child_key child = 0;
  std::uint64_t incarnation = 0;
  std::string reason{}; ///< empty: a normal end
};
/// To itself: some deadline may be due.
struct wake_up {
  monotonic_time at{};
};

class supervisor_actor {
public:
  static constexpr const char* name = "supervisor";

  supervisor_actor(caf::event_based_actor* self, supervisor_options options);
  supervisor_actor(const supervisor_actor&) = delete;
  supervisor_actor& operator=(const supervisor_actor&) = delete;
  /// Children that are still there are killed: that only happens when it was killed itself.
  ~supervisor_actor();

  caf::behavior make_behavior();

private:
  /// What the core does not know of a child, and the actors of its incarnations: at most one, or
  /// two while one takes over from the other.
  struct kept_child {
    std::shared_ptr<const child_maker> how{}; // dynamic children share one
    unsigned number = 0;
    std::vector<std::string> args{};
    std::map<std::uint64_t, caf::actor> living{}; // by incarnation

    /// Empty if there is none.
    [[nodiscard]] caf::actor actor(std::uint64_t incarnation) const {
      const auto found = living.find(incarnation);
      return found == living.end() ? caf::actor{} : found->second;
    }
  };
  /// A call that has not been answered.
  struct open_call {
    caf::response_promise promise{};
    std::shared_ptr<const child_maker> start{};
    std::vector<std::string> args{};
  };

  [[nodiscard]] static supervision core_of(const supervisor_options& options);
  void feed(const supervising::event& what);
  void feed(const supervising::event& what, monotonic_time now);
  void on_stop(stop_how how);
  void on_ready(const child_ready& said);
  void on_retires(const child_retires& said);
  void on_ended(child_key key, std::uint64_t incarnation, ending how);
  void on_gone(const child_actor_gone& gone);
  void on_wake_up(const wake_up& wake);
  caf::response_promise on_describe();
  caf::response_promise on_call(supervisor_call& call);

  // one for each action
  void act(const supervising::start_child& what);
  void act(const supervising::stop_child& what);
  void act(const supervising::arm_timer& what);
  void act(const supervising::note& what);
  void act(const supervising::report_up&);
  void act(const supervising::adopt_child& what);
  void act(const supervising::forget_child& what);
  void act(const supervising::reply& what);
  void act(const supervising::stopped& what);
  void act(const supervising::report_failed_start& what);
  void act(const supervising::give_up& what);

  void end(ending::kind how, std::string reason);
  void set_alarm(monotonic_time now);
  void fail_later(child_key key, std::uint64_t incarnation, std::string reason);
  [[nodiscard]] tree_node describe_self() const;
  [[nodiscard]] std::string kind_of(const supervised_child& child) const;
  [[nodiscard]] tree_node describe_child(const supervised_child& child) const;

  caf::event_based_actor* self_;
  supervisor_options options_;
  std::shared_ptr<const child_maker> dynamic_;
  supervision core_;
  deadlines deadlines_;
  std::unordered_map<child_key, kept_child> children_;
  std::unordered_map<std::uint64_t, open_call> open_calls_; // by ticket
  std::uint64_t last_ticket_ = 0;
};

} // namespace coppice

COPPICE_MESSAGES_BEGIN(supervisor_actor, 110)
COPPICE_LOCAL_MESSAGE(supervisor_actor, coppice::child_actor_gone)
COPPICE_LOCAL_MESSAGE(supervisor_actor, coppice::wake_up)
COPPICE_MESSAGES_END(supervisor_actor)
