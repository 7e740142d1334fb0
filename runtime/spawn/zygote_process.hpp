#pragma once
// The primary's image of one zygote process: starts it, gives it orders, hears its answers, and
// says when it has ended. It decides nothing; zygote_spawner does.

#include <coppice/runtime/channel/control_channel.hpp>
#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/process_watcher.hpp>
#include <coppice/runtime/spawn/birth_register.hpp>
#include <coppice/runtime/spawn/fork_worker.hpp>
#include <coppice/runtime/spawn/spawner.hpp>
#include <coppice/runtime/wire/control.hpp>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

/// Loop thread only, that of the spawner. Destroying it kills the process and reaps it; an answer
/// that was on its way is lost then, so call end_now before.
class zygote_process : private control_channel::handler {
public:
  /// Who is told; called from the loop or from end_now. It may destroy the zygote_process in
  /// on_ended only.
  class owner {
  public:
    virtual ~owner() = default;
    virtual void on_hello(const wire::zygote_hello& hello) = 0;
    virtual void on_answer(std::uint64_t request, result<os::child_process> answer) = 0;
    /// The process is reaped, and every answer that it had sent has been told. `how`: "SIGKILL".
    virtual void on_ended(const std::string& how) = 0;
  };

  static result<std::unique_ptr<zygote_process>> start(asio::io_context& loop,
                                                       const std::string& executable,
                                                       const std::vector<std::string>& argv,
                                                       fork_way way, owner& to);
  zygote_process(const zygote_process&) = delete;
  zygote_process& operator=(const zygote_process&) = delete;
  ~zygote_process() override;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  /// Sends an order. False: not sent, as the process ends, or since no descriptor was free.
  bool order(std::uint64_t request_id, const spawn_request& request);
  /// Orders a spare, which waits for its spawn on `letter`'s other end. The same answers.
  bool order_spare(std::uint64_t request_id, const os::unique_fd& letter);

  /// Kills it, for breaking the rules or for being late. on_ended comes, with `why`.
  void kill(std::string why);

  /// Kills it, reaps it, and tells the answers that it had sent. No on_ended.
  void end_now();

  /// After its end: what it was making. Waits for the process in the middle of an interrupted
  /// double fork (at most limits::zygote_settle; it has next to nothing to do), so that it is the
  /// last word.
  [[nodiscard]] birth last_birth() const;

private:
  zygote_process(asio::io_context& loop, birth_reader births, os::unique_fd channel,
                 os::child_process process, owner& to);

  void on_packet(std::span<const std::byte> packet, std::vector<os::unique_fd> fds) override;
  void on_closed(const error& why) override;
  void exited(os::exit_status status);

  owner& owner_;
  pid_t pid_;
  birth_reader births_;
  control_channel channel_;
  asio::steady_timer hello_deadline_;
  std::string why_killed_;
  wire::buffer out_;
  std::shared_ptr<zygote_process*> alive_;
  std::optional<os::process_watcher> process_; // last: it goes first
};

} // namespace coppice
