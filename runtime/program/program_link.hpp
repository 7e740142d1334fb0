#pragma once
// The primary's end of one incarnation of one program. An interface, so that the actor above runs
// against a fake one in virtual time; program_process is the real one.
//
// Loop thread only. Events come through the loop, never from inside a call, and none after
// destruction.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/child_process.hpp>

#include <functional>
#include <sys/types.h>
#include <variant>

namespace coppice {

/// What a link tells, in the order in which it happened.
struct program_started {
  pid_t pid = 0; ///< to show and to log
};
struct program_start_failed {
  error why;
};
struct program_is_ready {};
/// It is reaped, and so is whatever it had left running.
struct program_ended {
  os::exit_status status;
};
using program_event =
    std::variant<program_started, program_start_failed, program_is_ready, program_ended>;

class program_link {
public:
  using on_event = std::function<void(program_event)>;

  program_link() = default;
  program_link(const program_link&) = delete;
  program_link& operator=(const program_link&) = delete;
  /// Kills what still runs.
  virtual ~program_link() = default;

  /// Starts it. Exactly one of program_started and program_start_failed follows, and after
  /// program_started one program_ended in the end.
  virtual void start(on_event events) = 0;

  /// To the program; SIGKILL to its whole process group and to what it has left running.
  virtual void signal(int number) = 0;
};

} // namespace coppice
