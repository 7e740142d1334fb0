// bench_restart_client: what a client sees when the only worker of a service is killed.
//
// Again and again: asks /pid, kills that process with SIGKILL, connects and asks at once, and again
// at once whenever a connection breaks, until a process with another pid answers. The service's log
// comes on standard input: the first line after a kill that contains the text of --ready-text is
// when the service says that the new worker is ready, as read here. Prints one line of JSON with
// all times in microseconds.

#include "support/check.hpp"
#include "support/http_exchange.hpp"
#include "support/process_tree.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <poll.h>
#include <random>
#include <sys/syscall.h>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using bench::check;
using bench::http_exchange;

struct options {
  std::uint16_t port = 0;
  pid_t primary = 0; ///< nothing is killed but a child of this process
  int kills = 20;
  std::uint32_t seed = 1;
  std::string ready_text = "ready";
};

struct times {
  std::vector<double> answer_us, ready_us;
  std::uint64_t broken = 0; ///< connections that ended without an answer
};

constexpr auto patience = 5s; ///< for one answer

double us(clock_type::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

/// The service's log: remembers when the text of interest came.
class log_watch {
public:
  explicit log_watch(std::string text) : text_{std::move(text)} {
    ::fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  }

  void forget() {
    read();
    seen_.reset();
  }
  void read() {
    std::array<char, 4096> piece;
    for (;;) {
      const auto n = ::read(STDIN_FILENO, piece.data(), piece.size());
      if (n == 0) ended_ = true;
      if (n <= 0) return;
      const auto now = clock_type::now();
      tail_.append(piece.data(), static_cast<std::size_t>(n));
      if (!seen_ && tail_.find(text_) != std::string::npos) seen_ = now;
      tail_.erase(0, tail_.rfind('\n') + 1);
    }
  }
  [[nodiscard]] const std::optional<clock_type::time_point>& seen() const noexcept { return seen_; }
  /// poll(2) skips a negative descriptor.
  [[nodiscard]] int fd() const noexcept { return ended_ ? -1 : STDIN_FILENO; }

private:
  std::string text_, tail_;
  std::optional<clock_type::time_point> seen_;
  bool ended_ = false;
};

/// The answer to /pid, and the number of connections that broke before it.
pid_t ask_pid(std::uint16_t port, log_watch& log, std::uint64_t& broken) {
  const auto deadline = clock_type::now() + patience;
  std::optional<http_exchange> exchange;
  while (clock_type::now() < deadline) {
    if (!exchange) exchange.emplace(port, "/pid");
    switch (exchange->step()) {
    case http_exchange::progress::answered:
      return std::stoi(exchange->body());
    case http_exchange::progress::broken:
      ++broken;
      exchange.reset();
      break;
    case http_exchange::progress::pending:
      std::array<pollfd, 2> wanted{{{exchange->fd(), POLLIN, 0}, {log.fd(), POLLIN, 0}}};
      ::poll(wanted.data(), wanted.size(), 100);
      log.read();
      break;
    }
  }
  throw std::runtime_error("no answer within 5 s");
}

/// Kills `pid` if it is a child of `parent`. The pidfd holds on to the process, so that what was
/// asked about is what is killed.
void kill_child(pid_t pid, pid_t parent) {
  const coppice::os::unique_fd process{
      static_cast<int>(check(::syscall(SYS_pidfd_open, pid, 0), "pidfd_open"))};
  if (bench::parent_of(pid) != parent)
    throw std::runtime_error("the worker is not the primary's child");
  check(::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0), "pidfd_send_signal");
}

times run(const options& wanted) {
  times result;
  log_watch log{wanted.ready_text};
  std::mt19937 random{wanted.seed};
  std::uniform_int_distribution<int> pause_us{3000, 7000};
  std::uint64_t not_counted = 0;
  for (int i = 0; i < wanted.kills; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds{pause_us(random)});
    const pid_t old = ask_pid(wanted.port, log, not_counted);
    log.forget();
    const auto killed = clock_type::now();
    kill_child(old, wanted.primary);
    while (ask_pid(wanted.port, log, result.broken) == old) {
    }
    result.answer_us.push_back(us(clock_type::now() - killed));
    for (const auto deadline = clock_type::now() + 200ms; !log.seen() && log.fd() >= 0;) {
      if (clock_type::now() > deadline) break;
      pollfd more{log.fd(), POLLIN, 0};
      ::poll(&more, 1, 50);
      log.read();
    }
    if (log.seen()) result.ready_us.push_back(us(*log.seen() - killed));
  }
  return result;
}

} // namespace

int main(int argc, char** argv) {
  options wanted;
  CLI::App app{"Kills the only worker of a service and asks the service at once."};
  app.add_option("--port", wanted.port, "Port of the service on 127.0.0.1")->required();
  app.add_option("--primary", wanted.primary, "Pid of the parent of the worker")->required();
  app.add_option("--kills", wanted.kills, "How often")->check(CLI::PositiveNumber);
  app.add_option("--seed", wanted.seed, "Of the pauses between kills");
  app.add_option("--ready-text", wanted.ready_text, "What the log says when a worker is ready");
  CLI11_PARSE(app, argc, argv);
  try {
    const auto result = run(wanted);
    fmt::print("{{\"answer_us\":[{:.1f}],\"ready_us\":[{:.1f}],\"broken\":{}}}\n",
               fmt::join(result.answer_us, ","), fmt::join(result.ready_us, ","), result.broken);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_restart_client: {}\n", error.what());
    return 1;
  }
}
