#pragma once
// Storms on storm_service: clients ask as fast as they can while workers die, and afterwards what
// each client was told is held against what the handlers did. COPPICE_CHAOS_SECONDS sets how long
// each storm lasts.

#include "chaos/runs.hpp"
#include "chaos/stream_client.hpp"
#include "support/program.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::test {

using clock_type = std::chrono::steady_clock;

struct storm_options {
  std::string name;
  unsigned workers = 4;
  unsigned clients = 16;
  /// A random worker dies this far apart; no deaths at all if `signal` is 0. With SIGTERM some are
  /// asked to end, each once, and some are killed, also while they drain.
  int kill_from_ms = 20;
  int kill_to_ms = 100;
  int signal = SIGKILL;
  int send_buffer = 0;
  /// Whether the documentation lets an answer be 500, 502 or 503, or a connection be reset. With
  /// SIGSEGV it may be 500 in any case, if a crash report says so.
  bool may_refuse = false;
  bool may_reset = false;
  std::string host = "127.0.0.1";
  std::string protection = "request";
  std::string spawn = "zygote";
};

/// A request that is sent, and what is allowed to come of it.
struct asked {
  std::uint64_t id = 0;
  std::string text; ///< head and content
  std::size_t bytes = 0;
  std::uint64_t content = digest({});
  bool once = false; ///< it must not be run twice
};

class storm {
public:
  explicit storm(storm_options how);

  /// A request with an id of its own. `query` goes behind the id: "&us=50".
  [[nodiscard]] asked ask(std::string_view method, std::size_t bytes, std::string_view query = {},
                          std::string_view content = {}, std::string_view fields = {});
  /// Holds an answer against its request. False: the connection is of no use any more.
  bool judge(const asked& request, const received& got);
  /// What a client does that cannot go on; `how` a call ended.
  void cannot(std::string_view what, ending_of_call how);
  void fail(const std::string& why);

  /// Runs `client` in threads until the time is over. A client that returns earlier has failed.
  void run(const std::function<void(unsigned who)>& client);

  /// What its handlers have done about a request so far.
  [[nodiscard]] const run_entry& runs_of(const asked& request) const { return runs_[request.id]; }
  [[nodiscard]] bool over() const { return clock_type::now() >= end_; }
  [[nodiscard]] int port() const { return program_->port(); }
  [[nodiscard]] const std::string& host() const { return how_.host; }
  [[nodiscard]] program& service() { return *program_; }

private:
  void kill_workers();
  void check_runs();
  void check_poison();

  storm_options how_;
  std::uint32_t seed_;
  temporary_directory folder_;
  run_file runs_;
  std::unique_ptr<program> program_;
  clock_type::time_point end_;
  std::atomic<std::uint64_t> ids_ = 1;
  std::atomic<long> requests_ = 0, refused_ = 0, resets_ = 0, failed_ = 0;
  std::atomic<std::uint64_t> bytes_ = 0;
  long kills_ = 0;

  struct outcome {
    std::uint64_t id;
    std::uint32_t run; ///< the one that was answered; 0: none
    bool once;
  };
  std::mutex guard_;
  std::string first_failure_;
  std::vector<outcome> outcomes_;
  std::vector<std::uint64_t> poison_; ///< requests answered 500 in a storm of crashes
};

} // namespace coppice::test
