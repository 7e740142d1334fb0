#pragma once
// A child that is a program of its own, not one of ours: any executable, started, watched, stopped
// and started again as workers are. It speaks no protocol with the primary and serves none of its
// endpoints.

#include <coppice/actors/settings_builder.hpp>
#include <coppice/runtime/program/readiness.hpp>
#include <coppice/runtime/spawn/process_settings.hpp>
#include <coppice/runtime/spawn/program_start.hpp>
#include <coppice/supervisors/child_spec.hpp>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coppice {

/// Where a program's standard output and error go. Its standard input is /dev/null.
enum class program_output {
  inherit, ///< to the primary's own
  /// Into the primary's log, line by line, with the child's name. Long lines are cut
  /// (limits::captured_line), and of a flood some are left out and counted
  /// (limits::captured_lines_per_second): the program is never made to wait.
  log,
};

struct program_spec {
  /// Unique in the whole tree, as a pool's.
  std::string name{};
  /// A path, or a name to be found in the PATH that the program gets.
  std::string executable{};
  /// Without argv[0], which is `executable`.
  std::vector<std::string> arguments{};
  process_settings settings{};
  child_session session = child_session::own;
  ready_when ready = ready_when::started;
  program_output output = program_output::inherit;
  /// What asks it to end in good order. Default: SIGTERM; nginx, say, finishes its requests on
  /// SIGQUIT.
  int stop_signal = SIGTERM;
  /// Sent to it when the primary is gone, however that ended (prctl(2), PR_SET_PDEATHSIG); 0: it
  /// lives on.
  int orphan_signal = SIGTERM;
  restart_type restart = permanent;
  coppice::backoff backoff{};
  /// How long it may take to end when it is asked to; then it, and its process group, are killed.
  /// Default: 5 s.
  std::optional<shutdown_time> shutdown{};
  /// How long it may take to become ready; then the start has failed. Default: 60 s.
  std::optional<std::chrono::milliseconds> ready_timeout{};
};

/// `program("cache", "/usr/bin/redis-server", {"--port", "6379"})
///    .ready(ready_when::connects("tcp://127.0.0.1:6379"))`.
/// See program_spec and process_settings for what each setting means and its default.
class program : public settings_builder<program> {
public:
  program(std::string name, std::string executable, std::vector<std::string> arguments = {}) {
    spec_.name = std::move(name);
    spec_.executable = std::move(executable);
    spec_.arguments = std::move(arguments);
  }
  program& ready(ready_when when) { return spec_.ready = std::move(when), *this; }
  program& output(program_output where) { return spec_.output = where, *this; }
  program& session(child_session which) { return spec_.session = which, *this; }
  program& stop_signal(int number) { return spec_.stop_signal = number, *this; }
  program& orphan_signal(int number) { return spec_.orphan_signal = number, *this; }
  program& restart(restart_type type) { return spec_.restart = type, *this; }
  program& backoff(coppice::backoff waits) { return spec_.backoff = waits, *this; }
  program& shutdown(shutdown_time time) { return spec_.shutdown = time, *this; }
  program& ready_timeout(std::chrono::milliseconds time) {
    return spec_.ready_timeout = time, *this;
  }

  [[nodiscard]] process_settings& settings() { return spec_.settings; }
  [[nodiscard]] const program_spec& spec() const { return spec_; }

private:
  program_spec spec_;
};

/// What its supervisor knows of it.
[[nodiscard]] child_spec child_of(const program_spec& spec);

} // namespace coppice
