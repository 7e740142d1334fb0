#pragma once
// Asking the supervisors of a running service from its own code in the primary: the service's
// `on_ready`, timers, handlers of the same io_context.
//
//     calls.start_child("jobs", {}, [](const call_result<child_info>& job) { ... });
//     calls.scale("web", 8);
//
// A supervisor is named as in the spec: a pool, an agent, a dynamic group or a nested supervisor,
// "" for the root; one that the spec does not have by its path from the root: "back/jobs".
//
// Thread-safety: none; on the thread that runs the io_context. A copyable handle. Answers come from
// the io_context, each once; those that are under way when the primary is destroyed never come. A
// handle that has outlived the primary refuses at once, with shutting_down, and so does any for a
// program that is not valid. An answer that nobody waits for may be left out.

#include <coppice/supervisors/calls.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coppice {

struct child_maker; // supervisors/child_maker.hpp, for those who know CAF
class program;      // program_spec.hpp

class supervisor_calls {
public:
  template <class T>
  using then = std::function<void(const call_result<T>&)>;
  /// What carries a call to the tree; the primary provides it.
  using carrier = std::function<void(std::string supervisor, calls::request,
                                     std::shared_ptr<const child_maker>, then<call_value>)>;

  /// What makes a program a child; the primary provides it, too. Not called for one that is not
  /// valid.
  using program_starter = std::function<std::shared_ptr<const child_maker>(const program&)>;

  /// Refuses everything.
  supervisor_calls() = default;
  explicit supervisor_calls(carrier by, program_starter programs = {})
      : carrier_{std::move(by)},
        programs_{std::move(programs)} {}

  /// Any call as a value; those below say it shorter. What each does is said in calls.hpp.
  void call(std::string supervisor, calls::request what, then<call_value> answer,
            std::shared_ptr<const child_maker> start = {}) const;

  /// One more dynamic child, and its number, state and process. `args` are what its start is told.
  void start_child(std::string supervisor, std::vector<std::string> args = {},
                   then<child_info> answer = {}) const;
  /// One more child of another supervisor: an actor in the primary, made by `start`.
  void start_child(std::string supervisor, child_spec spec,
                   std::shared_ptr<const child_maker> start, then<child_info> answer = {}) const;
  /// One more child of another supervisor: a program, answered when it is ready. Its name need not
  /// be another than those of children elsewhere, but their lines in the log look alike then.
  void start_child(std::string supervisor, const program& child,
                   then<child_info> answer = {}) const;
  void stop_child(std::string supervisor, std::string id, then<void> answer = {}) const;
  void restart_child(std::string supervisor, std::string id, then<child_info> answer = {}) const;
  void delete_child(std::string supervisor, std::string id, then<void> answer = {}) const;
  void which_children(std::string supervisor, then<std::vector<child_info>> answer) const;
  void count_children(std::string supervisor, then<child_counts> answer) const;
  void get_child_spec(std::string supervisor, std::string id, then<child_spec> answer) const;
  void scale(std::string supervisor, unsigned children, then<scaled> answer = {}) const;

private:
  carrier carrier_;
  program_starter programs_;
};

} // namespace coppice
