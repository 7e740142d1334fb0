#pragma once
// Starts a program in a process of its own.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/child_process.hpp>
#include <coppice/runtime/wire/setup_step.hpp>

#include <string>
#include <vector>

namespace coppice {

/// What the terminal of the primary, and its Ctrl-C, have to do with a child.
enum class child_session {
  own,       ///< a session of its own: nothing
  own_group, ///< a process group of its own in our session: it gets no Ctrl-C
  shared,    ///< our group: it gets the terminal's signals with us
};

struct program_start {
  std::string executable;        ///< a path; PATH is not searched
  std::vector<std::string> argv; ///< empty: `executable` alone
  /// "NAME=value", added to this process's environment, after `steps` have changed it.
  std::vector<std::string> environment;

  struct descriptor {
    int ours;   ///< borrowed
    int theirs; ///< its number in the program
  };
  /// What the program gets, ascending by `theirs`, and without gaps from 3 on. Of 0, 1, 2 what is
  /// not named here is /dev/null for 0, and our own for 1 and 2. It gets nothing else.
  std::vector<descriptor> descriptors;

  /// Taken in order (process_settings.hpp makes them).
  std::vector<wire::setup_step> steps{};
  child_session session = child_session::own;
  /// Sent to it when this thread ends, and so when this process does (prctl(2), PR_SET_PDEATHSIG);
  /// 0: none. A program that changes its identity by its own file's set-user-ID bit loses it.
  int parent_death_signal = 0;
  /// Not one of ours: the variables of our environment that are letters to this process are not
  /// for it (COPPICE_ and NOTIFY_SOCKET, say).
  bool foreign = false;
};

/// The program runs with default dispositions and no signal blocked. Returns when it has been
/// exec'd: 0.5 to 1 ms; our memory is not copied unless the identity changes. Errors name the step:
/// "setgid 65534: Operation not permitted", "start /bin/x: No such file or directory" (execve(2)).
[[nodiscard]] result<os::child_process> start_program(const program_start& program);

/// The environment that a program would get: ours, without letters if it is `foreign`, changed by
/// `steps`, and `environment` added.
[[nodiscard]] std::vector<std::string> environment_for(const program_start& program);

} // namespace coppice
