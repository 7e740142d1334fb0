#include "helper_bodies.hpp"

#include "helper_talk.hpp"

#include <coppice/runtime/os/fd_table.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <pthread.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ;

namespace coppice::spawn_test {
namespace {

using namespace std::chrono_literals;

std::string file_text(const char* path) {
  std::ifstream file{path, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  return text.substr(0, text.find('\0'));
}

std::string link_of(int fd) {
  char target[256];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t n = ::readlink(link.c_str(), target, sizeof target);
  return n < 0 ? "?" : std::string{target, static_cast<std::size_t>(n)};
}

std::string name_of(const worker_boot& boot, int fd) {
  if (fd == boot.control.get()) return "control";
  if (fd == boot.data.get()) return "data";
  if (fd == boot.ledger.get()) return "ledger";
  if (fd <= 2) return std::to_string(fd);
  return std::to_string(fd) + "=" + link_of(fd);
}

int count_letters() {
  int count = 0;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (std::string_view{*entry}.starts_with("COPPICE_")) ++count;
  return count;
}

int unusual_signals() {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  int count = 0;
  for (int number = 1; number <= SIGRTMAX; ++number) {
    struct sigaction found {};
    if (::sigaction(number, nullptr, &found) != 0) continue;
    const bool usual = number == SIGPIPE ? found.sa_handler == SIG_IGN
                       : number == SIGRTMAX - 1 // the orphan guard's
                           ? found.sa_handler != SIG_DFL
                           : found.sa_handler == SIG_DFL;
    if (!usual || ::sigismember(&mask, number) == 1) ++count;
  }
  return count;
}

/// Stays until the test closes the channel.
int stay(const worker_boot& boot) {
  while (hear(boot.control.get())) {
  }
  return 0;
}

int report(const worker_boot& boot) {
  std::string text =
      "group=" + boot.group + " name=" + boot.name + " id=" + std::to_string(boot.worker_id) +
      " incarnation=" + std::to_string(boot.incarnation) + " pid=" + std::to_string(::getpid()) +
      " ppid=" + std::to_string(::getppid()) + " primary=" + std::to_string(boot.primary) +
      " leads_session=" + std::to_string(::getsid(0) == ::getpid()) +
      " tid=" + std::to_string(::syscall(SYS_gettid)) +
      " letters=" + std::to_string(count_letters()) +
      " signals=" + std::to_string(unusual_signals()) + " comm=[" + file_text("/proc/self/comm") +
      "] cmdline=[" + file_text("/proc/self/cmdline") + "] in=" + link_of(0) + " fds=[";
  for (const int fd : os::open_descriptors()) text += name_of(boot, fd) + " ";
  say(boot.control.get(), text + "]");
  return stay(boot);
}

int threads(const worker_boot&) {
  std::recursive_mutex twice;
  twice.lock();
  twice.lock();
  twice.unlock();
  twice.unlock();
  int sum = std::async(std::launch::async, [] {
              std::mutex lock;
              const std::lock_guard hold{lock};
              return 7;
            }).get();
  std::vector<std::thread> several;
  std::atomic<int> ran = 0;
  for (int n = 0; n < 8; ++n)
    several.emplace_back([&] {
      std::string text(1000, 'x');
      if (text.size() == 1000) ++ran;
    });
  for (auto& each : several) each.join();
  return sum + ran;
}

int priority_mutex(const worker_boot&) {
  pthread_mutexattr_t how;
  ::pthread_mutexattr_init(&how);
  ::pthread_mutexattr_setprotocol(&how, PTHREAD_PRIO_INHERIT);
  pthread_mutex_t mutex;
  ::pthread_mutex_init(&mutex, &how);
  ::pthread_mutex_lock(&mutex);
  std::atomic<pid_t> waiter = 0;
  std::thread other{[&] {
    waiter = static_cast<pid_t>(::syscall(SYS_gettid));
    ::pthread_mutex_lock(&mutex);
    ::pthread_mutex_unlock(&mutex);
  }};
  // Contended: the other thread is asleep in the kernel on it.
  while (waiter == 0) std::this_thread::yield();
  const std::string state = "/proc/self/task/" + std::to_string(waiter) + "/syscall";
  const std::string futex = std::to_string(SYS_futex) + " ";
  while (!file_text(state.c_str()).starts_with(futex)) std::this_thread::yield();
  const int unlocked = ::pthread_mutex_unlock(&mutex);
  other.join();
  return unlocked == 0 ? 42 : 1;
}

int robust_mutex(const worker_boot& boot) {
  void* page = ::mmap(nullptr, sizeof(shared_mutex_page), PROT_READ | PROT_WRITE, MAP_SHARED,
                      boot.ledger.get(), 0);
  auto* mutex = reinterpret_cast<pthread_mutex_t*>(static_cast<shared_mutex_page*>(page)->mutex);
  return ::pthread_mutex_lock(mutex); // and die holding it
}

int asio_loop(const worker_boot&) {
  asio::io_context loop;
  asio::steady_timer timer{loop, 5ms};
  int code = 0;
  timer.async_wait([&](std::error_code) { code += 3; });
  std::thread other{[&] { asio::post(loop, [&] { code += 5; }); }};
  other.join();
  loop.run();
  return code;
}

int forks(const worker_boot&) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::getpid() == ::syscall(SYS_gettid) ? 3 : 4);
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return 1;
  return WEXITSTATUS(status) + 10;
}

int copies_input(const worker_boot&) {
  std::string line;
  for (int c = std::getchar(); c != EOF; c = std::getchar()) line += static_cast<char>(c);
  std::fprintf(stderr, "err:%s", line.c_str());
  std::printf("out:%s", line.c_str()); // buffered; the end of the worker must write it
  return 0;
}

int tries_clone3(const worker_boot& boot) {
  const long answer = ::syscall(SYS_clone3, nullptr, 0);
  say(boot.control.get(), "clone3=" + std::to_string(answer < 0 ? errno : 0));
  return threads(boot);
}

/// What a worker finds that was given settings; they are named in settings_test.cpp.
int tells_settings(const worker_boot& boot) {
  std::string text = file_text("/proc/self/status");
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  int death_signal = 0;
  ::prctl(PR_GET_PDEATHSIG, &death_signal);
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string{"(none)"} : std::string{value};
  };
  text += "cwd:\t" + std::filesystem::current_path().string() + "\n";
  text += "nice:\t" + std::to_string(::getpriority(PRIO_PROCESS, 0)) + "\n";
  text += "files:\t" + std::to_string(files.rlim_cur) + " " + std::to_string(files.rlim_max) + "\n";
  text += "death:\t" + std::to_string(death_signal == SIGRTMAX - 1) + "\n";
  text += "dumpable:\t" + std::to_string(::prctl(PR_GET_DUMPABLE)) + "\n";
  text += "TEST_SET:\t" + variable("TEST_SET") + "\n";
  text += "TEST_UNSET:\t" + variable("TEST_UNSET") + "\n";
  text += "TEST_KEPT:\t" + variable("TEST_KEPT") + "\n";
  text += "fds:\t" + std::to_string(os::open_descriptors().size()) + "\n";
  say(boot.control.get(), text);
  return stay(boot);
}

int spins(const worker_boot& boot) {
  say(boot.control.get(), std::to_string(::getpid()));
  for (volatile int n = 0;;) n = n + 1;
}

} // namespace

int run_body(worker_boot boot) {
  static const std::map<std::string_view, std::function<int(const worker_boot&)>> bodies{
      {"report", report},
      {"threads", threads},
      {"priority_mutex", priority_mutex},
      {"robust_mutex", robust_mutex},
      {"asio_loop", asio_loop},
      {"forks", forks},
      {"copies_input", copies_input},
      {"tries_clone3", tries_clone3},
      {"spins", spins},
      {"tells_settings", tells_settings},
      {"aborts", [](const worker_boot&) -> int { std::abort(); }},
      {"raises", [](const worker_boot&) { return ::raise(SIGTERM) + 90; }},
      {"throws", [](const worker_boot&) -> int { throw std::runtime_error{"it broke"}; }},
      {"exits", [](const worker_boot& own) { return static_cast<int>(own.worker_id); }},
  };
  return bodies.at(boot.group)(boot);
}

} // namespace coppice::spawn_test
