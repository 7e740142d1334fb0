#include <coppice/runtime/program/program_process.hpp>

#include <coppice/runtime/spawn/find_program.hpp>

#include <asio/post.hpp>
#include <chrono>
#include <csignal>
#include <unistd.h>
#include <utility>

namespace coppice {

program_process::program_process(asio::io_context& loop, logger& log, program_options options)
    : loop_{loop},
      log_{log},
      options_{std::move(options)} {}

program_process::~program_process() {
  // With the process goes what it may have started: nobody is left to hunt for it afterwards.
  if (process_ && options_.session != child_session::shared)
    (void)process_->process().signal_group(SIGKILL);
}

void program_process::start(on_event events) {
  events_ = std::move(events);
  auto child = make();
  writers_.clear();
  if (child) return started(*std::move(child));
  captures_.clear();
  notify_.reset();
  tell_later(program_start_failed{std::move(child.error())});
}

result<os::child_process> program_process::make() {
  mark_ = new_mark();
  program_start start;
  start.steps = options_.setup;
  start.session = options_.session;
  start.parent_death_signal = options_.parent_death_signal;
  start.foreign = true;
  start.environment = {mark_};
  if (options_.ready.how == ready_when::kind::notifies) {
    auto opened =
        notify_socket::open(loop_, log_, options_.name, [this] { tell(program_is_ready{}); });
    if (!opened) return tl::make_unexpected(std::move(opened.error()));
    notify_ = *std::move(opened);
    start.environment.push_back("NOTIFY_SOCKET=" + notify_->address());
  }
  if (options_.capture_output)
    for (const int theirs : {STDOUT_FILENO, STDERR_FILENO})
      if (auto captured = capture_at(theirs, start); !captured)
        return tl::make_unexpected(std::move(captured.error()));
  auto path = find_program(options_.executable, environment_for(start));
  if (!path) return tl::make_unexpected(std::move(path.error()));
  start.executable = *std::move(path);
  start.argv = {options_.executable};
  start.argv.insert(start.argv.end(), options_.arguments.begin(), options_.arguments.end());
  return start_program(start);
}

result<void> program_process::capture_at(int theirs, program_start& start) {
  auto& it = *captures_.emplace_back(std::make_unique<capture>(
      [this](std::string_view line) { log_.info("{}: {}", options_.name, line); }));
  os::unique_fd writer;
  auto pipe = output_pipe::open(loop_, writer, [&it](std::string_view bytes) {
    it.lines.take(bytes, std::chrono::steady_clock::now());
  });
  if (!pipe) return tl::make_unexpected(std::move(pipe.error()));
  it.pipe = *std::move(pipe);
  start.descriptors.push_back({writer.get(), theirs});
  writers_.push_back(std::move(writer));
  return {};
}

void program_process::started(os::child_process child) {
  const pid_t pid = child.pid();
  process_.emplace(loop_, std::move(child), [this](os::exit_status status) { exited(status); });
  tell_later(program_started{pid});
  await_ready(pid);
}

void program_process::await_ready(pid_t pid) {
  switch (options_.ready.how) {
  case ready_when::kind::started:
    return tell_later(program_is_ready{});
  case ready_when::kind::notifies:
    return notify_->hear(pid);
  case ready_when::kind::connects:
  case ready_when::kind::answers:
    break;
  }
  const auto target = parse_target(options_.ready);
  if (!target) return log_.error("{}: {}", options_.name, target.error().message());
  probe_ = std::make_unique<readiness_probe>(loop_, *target, [this] { tell(program_is_ready{}); });
}

void program_process::signal(int number) {
  if (number == SIGKILL && hunt_) return hunt_->kill_all();
  if (!process_) return;
  auto& child = process_->process();
  const bool whole_group = number == SIGKILL && options_.session != child_session::shared;
  // An end that nobody has told us of yet is no mistake of anybody's.
  if (auto sent = whole_group ? child.signal_group(number) : child.signal(number);
      !sent && sent.error().code.value() != ESRCH)
    log_.warn("{}: {}", options_.name, sent.error().message());
}

void program_process::exited(os::exit_status status) {
  probe_.reset();
  if (notify_) notify_->hear_rest();
  notify_.reset();
  const auto now = std::chrono::steady_clock::now();
  for (const auto& each : captures_) {
    each->pipe->finish();
    each->lines.finish(now);
  }
  auto seen = look_for_strays(mark_);
  if (seen.strays.empty() && seen.conclusive) return ended(status);
  hunt_ = std::make_unique<stray_hunt>(loop_, log_, options_.name, mark_, std::move(seen),
                                       [this, status] { ended(status); });
}

void program_process::ended(os::exit_status status) { tell(program_ended{status}); }

// Whoever hears of an end may destroy this, and the function with it.
void program_process::tell(program_event event) {
  const auto to = events_;
  to(std::move(event));
}

void program_process::tell_later(program_event event) {
  asio::post(loop_, [alive = std::weak_ptr{alive_}, event = std::move(event)]() mutable {
    if (auto self = alive.lock()) (*self)->tell(std::move(event));
  });
}

} // namespace coppice
