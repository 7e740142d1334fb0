#pragma once
// Makes workers by fork from a zygote: a fraction of a millisecond each.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/spawn/fork_worker.hpp>
#include <coppice/runtime/spawn/spare_worker.hpp>
#include <coppice/runtime/spawn/spawner.hpp>
#include <coppice/runtime/spawn/zygote_process.hpp>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

struct zygote_options {
  std::string executable =
      "/proc/self/exe"; ///< of the version whose workers it forks; its main calls run_zygote
  std::vector<std::string> argv; ///< empty: `executable` alone
  std::optional<fork_way> fork;  ///< none: the best that this kernel has
};

/// One zygote of one version of the program; a reload makes a second spawner. The zygote starts
/// with `start` or the first request, and is replaced when it dies: at once, then after
/// limits::zygote_rest_first and more if it dies again before it has answered a request.
///
/// A request is answered exactly once, whenever the zygote is killed: what it had answered is read
/// first; the process that it was making, if there is one, is the answer to the request it was at;
/// the others are sent to the next zygote.
///
/// Errors a request can get: the zygote cannot be started, or ends before its hello,
/// limits::zygote_attempts times in a row; it refuses (more than one thread, preload threw: then
/// all requests fail, fall back to exec_spawner); limits::spawn_attempts zygotes died at this
/// request; fork(2); more than limits::spawn_queue requests wait; the spawner was stopped.
class zygote_spawner final : public spawner, private zygote_process::owner {
public:
  zygote_spawner(asio::io_context& loop, logger& log, zygote_options options);
  ~zygote_spawner() override;

  /// Starts the zygote now. `done`, if any, is called once by the loop, when it is ready to fork or
  /// has been given up.
  void start(std::function<void(result<void>)> done = {});
  void spawn(spawn_request request, on_spawned done) override;
  void stop() override;

  /// From now on so many spares wait for requests (limits::spares at the most): each is a process
  /// that a zygote has forked ahead of its time. A request that finds one is answered without a
  /// fork. Default: none.
  void keep_spares(unsigned count);
  /// Less and less will be wanted: no spares any more, and a zygote that dies is replaced only when
  /// a request comes.
  void wind_down();
  /// To show: those that wait now.
  [[nodiscard]] std::vector<pid_t> spare_pids() const;

  /// To show; none while there is no zygote.
  [[nodiscard]] std::optional<pid_t> zygote_pid() const noexcept;

private:
  enum class phase {
    idle,     // no zygote, and nobody has asked for one
    starting, // the process exists, its hello has not come
    up,       // it takes orders
    resting,  // it has died; rest_ runs until the next is started
    refused,  // it said why it cannot fork; final
    stopped,  // final
  };
  struct pending {
    std::uint64_t id;
    spawn_request request; // of a spare: its name only
    on_spawned done;
    os::unique_fd letter{}; // of a spare: its end of the channel; none: a worker is wanted
    unsigned deaths = 0;    // zygotes that died at it
  };

  void on_hello(const wire::zygote_hello& hello) override;
  void on_answer(std::uint64_t request, result<os::child_process> answer) override;
  void on_ended(const std::string& how) override;

  void begin();
  void begin_after(std::chrono::milliseconds rest);
  void start_failed(error why);
  void send_orders();
  void watch_answers();
  void settle();
  void answer_first(result<os::child_process> answer);
  void answer_starters(const result<void>& how);
  void fail_all(const error& why);
  void end_zygote();
  void order_spares_after(std::chrono::milliseconds rest);
  void order_spares();
  bool order_spare();
  [[nodiscard]] std::optional<os::child_process> take_spare(const spawn_request& request);
  void post_answer(on_spawned done, result<os::child_process> answer);
  [[nodiscard]] std::chrono::milliseconds next_rest() const;

  asio::io_context& loop_;
  logger& log_;
  zygote_options options_;
  fork_way way_;
  phase phase_ = phase::idle;
  std::unique_ptr<zygote_process> zygote_;
  std::deque<pending> queue_; // the first in_flight_ of them are with the zygote
  std::size_t in_flight_ = 0;
  std::uint64_t next_id_ = 1;
  unsigned failed_starts_ = 0; // in a row
  unsigned deaths_in_row_ = 0; // after a hello, without an answered request between
  std::optional<error> refusal_;
  std::vector<std::function<void(result<void>)>> starters_;
  asio::steady_timer rest_;
  unsigned spares_wanted_ = 0;
  bool was_up_ = false;
  bool winding_down_ = false;
  std::uint64_t spare_deaths_ = 0;
  unsigned spares_ordered_ = 0; // not answered yet
  std::vector<std::unique_ptr<spare_worker>> spares_;
  asio::steady_timer spare_rest_; // until the next is ordered
  asio::steady_timer answer_; // runs while orders are with the zygote: it may be stopped, not dead
  std::shared_ptr<zygote_spawner*> alive_; // gone: no callback
};

} // namespace coppice
