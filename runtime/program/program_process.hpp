#pragma once
// The real program_link: a process, what finds out when it is ready, and what becomes of its
// output.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/os/process_watcher.hpp>
#include <coppice/runtime/program/captured_lines.hpp>
#include <coppice/runtime/program/notify_socket.hpp>
#include <coppice/runtime/program/output_pipe.hpp>
#include <coppice/runtime/program/program_link.hpp>
#include <coppice/runtime/program/readiness.hpp>
#include <coppice/runtime/program/readiness_probe.hpp>
#include <coppice/runtime/program/stray_hunt.hpp>
#include <coppice/runtime/spawn/program_start.hpp>

#include <asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

struct program_options {
  std::string name{};                    ///< the child's: "cache"
  std::string executable{};              ///< a path, or a name to be found in the child's PATH
  std::vector<std::string> arguments{};  ///< without the program's own name
  std::vector<wire::setup_step> setup{}; ///< taken before it is exec'd
  child_session session = child_session::own;
  int parent_death_signal = 0; ///< sent to it when the primary is gone; 0: none
  ready_when ready{};
  bool capture_output = false; ///< its output goes into the log, line by line; else it is ours
};

class program_process final : public program_link {
public:
  program_process(asio::io_context& loop, logger& log, program_options options);
  ~program_process() override;

  void start(on_event events) override;
  void signal(int number) override;

private:
  /// What captures one of its two streams.
  struct capture {
    explicit capture(captured_lines::sink to) : lines{std::move(to)} {}
    captured_lines lines;
    std::unique_ptr<output_pipe> pipe;
  };

  result<os::child_process> make();
  result<void> capture_at(int theirs, program_start& start);
  void started(os::child_process child);
  void await_ready(pid_t pid);
  void exited(os::exit_status status);
  void ended(os::exit_status status);
  void tell(program_event event);
  void tell_later(program_event event);

  asio::io_context& loop_;
  logger& log_;
  program_options options_;
  on_event events_;
  std::string mark_;
  std::vector<std::unique_ptr<capture>> captures_;
  std::vector<os::unique_fd> writers_; ///< the program's ends, until it has them
  std::unique_ptr<notify_socket> notify_;
  std::unique_ptr<readiness_probe> probe_;
  std::optional<os::process_watcher> process_;
  std::unique_ptr<stray_hunt> hunt_;
  std::shared_ptr<program_process*> alive_ = std::make_shared<program_process*>(this);
};

} // namespace coppice
