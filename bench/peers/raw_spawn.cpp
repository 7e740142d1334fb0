// bench_raw_spawn restart KILLS SEED | scale WORKERS: what a new worker process costs when nothing
// is done but the system calls. A process forks workers that say hello over a socket pair;
// `restart` kills the only one with SIGKILL and measures the time to the hello of the next, `scale`
// the time from the first fork to the last hello.

#include "support/check.hpp"

#include <array>
#include <chrono>
#include <coppice/runtime/os/unique_fd.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <random>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using bench::check;
using clock_type = std::chrono::steady_clock;
using coppice::os::unique_fd;

struct worker {
  pid_t pid; ///< a child that is not waited for, so nobody else can get the number
  unique_fd channel;
};

double us(clock_type::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

[[noreturn]] void work(int channel) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::write(channel, "hello", 5) != 5) ::_exit(1);
  std::array<char, 64> buffer;
  while (::read(channel, buffer.data(), buffer.size()) > 0) {
  }
  ::_exit(0);
}

worker start() {
  std::array<int, 2> ends{};
  check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
  unique_fd ours{ends[0]}, theirs{ends[1]};
  const pid_t pid = check(::fork(), "fork");
  if (pid == 0) {
    ours.reset();
    work(theirs.get());
  }
  return {pid, std::move(ours)};
}

void await_hello(const worker& from) {
  std::array<char, 64> buffer;
  if (::read(from.channel.get(), buffer.data(), buffer.size()) <= 0)
    throw std::runtime_error("no hello");
}

void end(const worker& what) {
  ::kill(what.pid, SIGKILL);
  ::waitpid(what.pid, nullptr, 0);
}

void restart(int kills, std::uint32_t seed) {
  std::vector<double> ready_us;
  std::mt19937 random{seed};
  std::uniform_int_distribution<int> pause_us{3000, 7000};
  worker one = start();
  await_hello(one);
  for (int i = 0; i < kills; ++i) {
    const unique_fd process{
        static_cast<int>(check(::syscall(SYS_pidfd_open, one.pid, 0), "pidfd_open"))};
    std::this_thread::sleep_for(std::chrono::microseconds{pause_us(random)});
    const auto killed = clock_type::now();
    ::kill(one.pid, SIGKILL);
    pollfd death{process.get(), POLLIN, 0};
    check(::poll(&death, 1, 5000), "poll");
    ::waitpid(one.pid, nullptr, 0);
    one = start();
    await_hello(one);
    ready_us.push_back(us(clock_type::now() - killed));
  }
  end(one);
  fmt::print("{{\"ready_us\":[{:.1f}]}}\n", fmt::join(ready_us, ","));
}

void scale(std::size_t count) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  std::vector<worker> workers;
  workers.reserve(count);
  const auto begun = clock_type::now();
  for (std::size_t i = 0; i < count; ++i) workers.push_back(start());
  for (const auto& one : workers) await_hello(one);
  const auto ready = clock_type::now() - begun;
  for (const auto& one : workers) end(one);
  fmt::print("{{\"ready_ms\":{:.3f}}}\n", us(ready) / 1e3);
}

} // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const int count = argc > 2 ? std::atoi(argv[2]) : 0;
  if (count < 1 || (what != "restart" && what != "scale")) {
    fmt::print(stderr, "usage: bench_raw_spawn restart KILLS [SEED] | scale WORKERS\n");
    return 2;
  }
  try {
    if (what == "restart")
      restart(count, argc > 3 ? static_cast<std::uint32_t>(std::atoi(argv[3])) : 1);
    else
      scale(static_cast<std::size_t>(count));
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_raw_spawn: {}\n", error.what());
    return 1;
  }
}
