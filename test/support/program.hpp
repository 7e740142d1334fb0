#pragma once
// A program of ours as a user runs it: started with arguments, its output read line by line, its
// end awaited. Every wait has a deadline and says what it was waiting for. Ends what it started,
// and what that started.

#include "support/temporary_directory.hpp"

#include <chrono>
#include <coppice/runtime/os/child_process.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace coppice::test {

/// How long anything may take before the test fails; far more than it takes.
inline constexpr std::chrono::seconds patience{30};

/// Polls `holds` with short pauses of poll(2) until it does; false after `patience`. For what the
/// kernel tells by no descriptor, /proc above all.
[[nodiscard]] bool eventually(const std::function<bool()>& holds);

class program {
public:
  struct limits_of_it {
    std::size_t open_files = 0; ///< RLIMIT_NOFILE, soft and hard; 0: as it is
    /// Runs in the process before it becomes the program: what it inherits besides.
    std::function<void()> prepare{};
  };
  /// Starts it, with a state directory of its own. Throws if it can't be started.
  explicit program(std::vector<std::string> argv) : program{std::move(argv), limits_of_it{}} {}
  program(std::vector<std::string> argv, limits_of_it limits);
  /// Kills it and its descendants.
  ~program();

  /// Reads standard output up to the ready line. Throws with all output if it ends, or does not
  /// come.
  void wait_ready();
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] int pidfd() const { return process_.pidfd(); }

  void signal(int number);
  /// Waits for its end. Throws if it does not end.
  os::exit_status wait_exit();
  /// True if it has ended within `time`, which is spent otherwise: for what must *not* happen.
  [[nodiscard]] bool wait_exit_within(std::chrono::milliseconds time) const;
  /// Standard output and error, as far as they have been read.
  [[nodiscard]] const std::string& output() const { return output_; }
  /// Reads until the output has `text` behind its first `from` bytes; false if it ends or takes too
  /// long.
  [[nodiscard]] bool wait_output(std::string_view text, std::size_t from = 0);

  /// Takes what is there: a program whose pipe is full stands still.
  void read_output();

  [[nodiscard]] const std::string& state_dir() const { return state_text_; }
  /// The processes whose title is this: "coppice: web/1". They are children of the program.
  [[nodiscard]] std::vector<pid_t> children(std::string_view title_prefix = "") const;
  [[nodiscard]] std::vector<pid_t> workers(std::string_view group = "web") const;
  [[nodiscard]] pid_t zygote() const;
  /// A process that waits to become a worker; 0 if there is none.
  [[nodiscard]] pid_t spare() const;
  /// Waits until neither the program nor a child of it runs, is about to, or waits to be buried:
  /// what they hold at such a moment is theirs, not something on its way. False after `patience`.
  [[nodiscard]] bool wait_quiet();

private:
  bool read_some(int timeout_ms);

  temporary_directory state_;
  std::string state_text_;
  os::unique_fd out_;
  os::child_process process_;
  std::string output_;
  int port_ = 0;
};

/// What a process holds, from /proc.
[[nodiscard]] std::size_t open_files(pid_t pid);
[[nodiscard]] std::size_t resident_kib(pid_t pid);
[[nodiscard]] double cpu_seconds(pid_t pid);
[[nodiscard]] std::string title(pid_t pid);
[[nodiscard]] char process_state(pid_t pid); ///< 'R', 'S', 'Z', ...; 0 if there is none
[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);

} // namespace coppice::test
