#include <coppice/runtime/program/run_program.hpp>

#include <coppice/runtime/os/process_watcher.hpp>
#include <coppice/runtime/program/output_pipe.hpp>
#include <coppice/runtime/spawn/find_program.hpp>
#include <coppice/runtime/spawn/program_start.hpp>

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <csignal>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace coppice::detail {
namespace {

using clock_type = std::chrono::steady_clock;

/// Belongs to the loop: a wait that never ends by itself owns it until the program has ended, or
/// until the loop is destroyed.
class program_run : public std::enable_shared_from_this<program_run> {
public:
  program_run(asio::io_context& loop, program_call call,
              std::function<void(result<program_outcome>)> done)
      : loop_{loop},
        call_{std::move(call)},
        done_{std::move(done)},
        input_{loop},
        timer_{loop},
        life_{loop} {}

  void start() {
    begin_ = clock_type::now();
    auto child = make();
    if (!child) return fail(std::move(child.error()));
    write_input();
    process_.emplace(loop_, *std::move(child), [this](os::exit_status status) { exited(status); });
    life_.expires_at(clock_type::time_point::max());
    life_.async_wait([self = shared_from_this()](const std::error_code&) {});
    if (call_.timeout) end_after(*call_.timeout, [](program_run& self) { self.time_out(); });
  }

  void cancel() {
    if (!process_ || outcome_.timed_out || outcome_.cancelled) return;
    outcome_.cancelled = true;
    tell_to_end();
  }

private:
  result<os::child_process> make() {
    if (const auto wrong = validate(call_.settings); !wrong.empty())
      return failure_because("start", call_.executable,
                             wrong.front().field + " " + wrong.front().why);
    auto settings = with_user(std::move(call_.settings));
    if (!settings) return tl::make_unexpected(std::move(settings.error()));
    program_start start;
    start.steps = steps_of(*settings);
    start.foreign = true;
    start.parent_death_signal = SIGKILL;
    auto path = find_program(call_.executable, environment_for(start));
    if (!path) return tl::make_unexpected(std::move(path.error()));
    start.executable = *std::move(path);
    start.argv = {call_.executable};
    start.argv.insert(start.argv.end(), call_.arguments.begin(), call_.arguments.end());

    os::unique_fd in, out, err;
    if (auto opened = open_input(in); !opened) return tl::make_unexpected(opened.error());
    if (auto opened = open_output(out_, out, outcome_.out, outcome_.out_left_out); !opened)
      return tl::make_unexpected(opened.error());
    if (auto opened = open_output(err_, err, outcome_.err, outcome_.err_left_out); !opened)
      return tl::make_unexpected(opened.error());
    if (in) start.descriptors.push_back({in.get(), STDIN_FILENO});
    start.descriptors.push_back({out.get(), STDOUT_FILENO});
    start.descriptors.push_back({err.get(), STDERR_FILENO});
    return start_program(start);
  }

  result<void> open_input(os::unique_fd& theirs) {
    if (call_.input.empty()) return {};
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("create", "input pipe");
    theirs.reset(ends[0]);
    input_.assign(ends[1]);
    return {};
  }

  result<void> open_output(std::unique_ptr<output_pipe>& pipe, os::unique_fd& theirs,
                           std::string& into, std::size_t& left_out) {
    auto opened =
        output_pipe::open(loop_, theirs, [this, &into, &left_out](std::string_view bytes) {
          const auto room = std::min(bytes.size(), call_.max_output - into.size());
          into.append(bytes.substr(0, room));
          left_out += bytes.size() - room;
        });
    if (!opened) return tl::make_unexpected(std::move(opened.error()));
    pipe = *std::move(opened);
    return {};
  }

  /// A program need not read it: what it leaves is dropped.
  void write_input() {
    if (!input_.is_open()) return;
    asio::async_write(
        input_, asio::buffer(call_.input),
        [self = shared_from_this()](const std::error_code&, std::size_t) { self->close_input(); });
  }

  void close_input() {
    std::error_code ignored;
    input_.close(ignored);
  }

  void end_after(std::chrono::milliseconds time, void (*what)(program_run&)) {
    timer_.expires_after(time);
    timer_.async_wait([weak = weak_from_this(), what](const std::error_code& stopped) {
      if (auto self = weak.lock(); self && !stopped) what(*self);
    });
  }

  void time_out() {
    outcome_.timed_out = true;
    tell_to_end();
  }

  void tell_to_end() {
    signal(SIGTERM);
    end_after(call_.grace, [](program_run& self) { self.signal(SIGKILL); });
  }

  void signal(int number) {
    if (process_) (void)process_->process().signal_group(number);
  }

  void exited(os::exit_status status) {
    timer_.cancel();
    life_.cancel(); // its handler runs later: this is not destroyed yet
    close_input();
    out_->finish();
    err_->finish();
    outcome_.status = status;
    outcome_.took =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_type::now() - begin_);
    const auto done = std::exchange(done_, nullptr);
    done(std::move(outcome_));
  }

  void fail(error why) {
    close_input();
    out_.reset();
    err_.reset();
    asio::post(loop_, [self = shared_from_this(), why = std::move(why)]() mutable {
      const auto done = std::exchange(self->done_, nullptr);
      done(tl::make_unexpected(std::move(why)));
    });
  }

  asio::io_context& loop_;
  program_call call_;
  std::function<void(result<program_outcome>)> done_;
  clock_type::time_point begin_{};
  program_outcome outcome_{};
  asio::posix::stream_descriptor input_;
  std::unique_ptr<output_pipe> out_;
  std::unique_ptr<output_pipe> err_;
  asio::steady_timer timer_;
  asio::steady_timer life_;
  std::optional<os::process_watcher> process_;
};

} // namespace

stop_program_run start_program_run(asio::io_context& loop, program_call call,
                                   std::function<void(result<program_outcome>)> done) {
  auto run = std::make_shared<program_run>(loop, std::move(call), std::move(done));
  run->start();
  return [weak = std::weak_ptr{run}] {
    if (auto self = weak.lock()) self->cancel();
  };
}

} // namespace coppice::detail
