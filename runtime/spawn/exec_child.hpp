#pragma once
// The child of start_program: from clone(2) to execve(2). It may share its parent's memory, so it
// reads what the parent has prepared, makes system calls, and writes its report.

#include <coppice/runtime/wire/setup_step.hpp>

#include <cstddef>
#include <span>
#include <sys/types.h>

namespace coppice {

struct exec_report {
  enum class step { none, session, descriptors, input, setup, parent, exec };
  step failed;
  std::size_t index; ///< which of the setup steps
  int code;
};

/// Everything is borrowed.
struct exec_order {
  struct move {
    int from; ///< above every number that the child will use
    int to;
  };
  const char* executable;
  char* const* argv;
  char* const* environment;
  std::span<const move> moves;
  bool opens_input;  ///< 0 is to be /dev/null
  int lowest_closed; ///< this descriptor and all above it are closed
  std::span<const wire::setup_step> steps;
  bool own_session;
  bool own_group;
  int parent_death_signal;
  pid_t parent;
  exec_report* report; ///< in memory that both processes see
};

/// For clone(2); `order` is an exec_order. Does not return: execve, or _exit after a report.
int run_exec_child(void* order) noexcept;

} // namespace coppice
