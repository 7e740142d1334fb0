#include "support/program.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <poll.h>
#include <set>
#include <sstream>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace coppice::test {
namespace {

using clock_type = std::chrono::steady_clock;

std::string slurp(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  std::ostringstream all;
  all << file.rdbuf();
  return all.str();
}

std::string proc(pid_t pid, const char* file) {
  return slurp("/proc/" + std::to_string(pid) + "/" + file);
}

/// The fields of /proc/PID/stat behind the name, which may hold anything: state is the first.
std::vector<std::string> stat_fields(pid_t pid) {
  const auto text = proc(pid, "stat");
  const auto end = text.rfind(')');
  std::vector<std::string> fields;
  if (end == std::string::npos) return fields;
  std::istringstream in{text.substr(end + 1)};
  for (std::string word; in >> word;) fields.push_back(word);
  return fields;
}

} // namespace

bool eventually(const std::function<bool()>& holds) {
  const auto until = clock_type::now() + patience;
  while (!holds()) {
    if (clock_type::now() > until) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

// ---- the program

namespace {

os::child_process start(std::vector<std::string> argv, const std::string& state_dir,
                        const program::limits_of_it& limits, os::unique_fd& out) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error{"pipe2"};
  out.reset(ends[0]);
  os::unique_fd theirs{ends[1]};
  std::vector<char*> args;
  for (auto& arg : argv) args.push_back(arg.data());
  args.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error{"fork"};
  if (pid == 0) {
    ::setpgid(0, 0);
    ::dup2(theirs.get(), 1);
    ::dup2(theirs.get(), 2);
    ::setenv("COPPICE_STATE_DIR", state_dir.c_str(), 1);
    if (limits.open_files > 0) {
      const rlimit limit{limits.open_files, limits.open_files};
      ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limits.prepare) limits.prepare();
    ::execv(args[0], args.data());
    ::_exit(127);
  }
  return {pid, os::unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))}};
}

} // namespace

program::program(std::vector<std::string> argv, limits_of_it limits)
    : state_text_{state_.path() + "/state"},
      process_{start(std::move(argv), state_text_, limits, out_)} {}

program::~program() {
  // SIGSTOP first: what is stopped starts nothing new while its children are counted.
  (void)process_.signal(SIGSTOP);
  for (const pid_t child : children_of(pid())) ::kill(child, SIGKILL);
  (void)process_.signal(SIGKILL);
}

bool program::read_some(int timeout_ms) {
  pollfd p{out_.get(), POLLIN, 0};
  if (::poll(&p, 1, timeout_ms) <= 0) return true;
  char buffer[4096];
  const auto n = ::read(out_.get(), buffer, sizeof buffer);
  if (n <= 0) return false;
  output_.append(buffer, static_cast<std::size_t>(n));
  return true;
}

bool program::wait_output(std::string_view text, std::size_t from) {
  const auto until = clock_type::now() + patience;
  while (output_.find(text, from) == std::string::npos)
    if (clock_type::now() > until || !read_some(100)) return false;
  return true;
}

void program::wait_ready() {
  if (!wait_output("coppice: ready ") || !eventually([&] {
        read_some(0);
        return output_.find('\n', output_.find("coppice: ready ")) != std::string::npos;
      }))
    throw std::runtime_error{"it never was ready; its output:\n" + output_};
  const auto line = output_.substr(output_.find("coppice: ready "));
  if (const auto at = line.find(" workers="); at != std::string::npos)
    port_ = std::atoi(line.c_str() + line.rfind(':', at) + 1);
}

void program::read_output() {
  pollfd p{out_.get(), POLLIN, 0};
  while (::poll(&p, 1, 0) > 0 && read_some(0)) {
  }
}

void program::signal(int number) {
  if (auto sent = process_.signal(number); !sent) throw std::runtime_error{sent.error().message()};
}

os::exit_status program::wait_exit() {
  const auto until = clock_type::now() + patience;
  bool open = true;
  for (;;) {
    if (open) open = read_some(10); // a full pipe must not keep it from ending
    if (auto status = process_.reap()) {
      while (open && output_.size() < (1u << 24)) {
        pollfd p{out_.get(), POLLIN, 0};
        if (::poll(&p, 1, 0) <= 0 || !read_some(0)) break;
      }
      return *status;
    }
    if (!open) {
      pollfd p{process_.pidfd(), POLLIN, 0};
      ::poll(&p, 1, 100);
    }
    if (clock_type::now() > until)
      throw std::runtime_error{"it does not end; its output:\n" + output_};
  }
}

std::vector<pid_t> program::children(std::string_view title_prefix) const {
  std::vector<pid_t> found;
  for (const pid_t child : children_of(pid()))
    if (title(child).starts_with(title_prefix)) found.push_back(child);
  return found;
}

std::vector<pid_t> program::workers(std::string_view group) const {
  return children("coppice: " + std::string{group} + "/");
}

pid_t program::zygote() const {
  // A process that it has just forked has its title, too, and leads no session yet.
  for (const pid_t child : children("coppice: zygote"))
    if (::getsid(child) == child) return child;
  return 0;
}

pid_t program::spare() const {
  const auto found = children("coppice: spare");
  return found.empty() ? 0 : found.front();
}

namespace {

/// What a thread is doing, and how often it has stopped doing something.
std::string doings(const std::filesystem::path& thread) {
  std::istringstream status{slurp(thread / "status")};
  std::string found;
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("State:") || line.find("ctxt_switches:") != std::string::npos)
      found += line + '\n';
  return found;
}

/// Adds the doings of each thread of a process; false unless all of them are asleep.
bool asleep(pid_t pid, std::map<std::string, std::string>& threads) {
  std::error_code ignored;
  const auto before = threads.size();
  for (std::filesystem::directory_iterator it{"/proc/" + std::to_string(pid) + "/task", ignored},
       end;
       it != end; it.increment(ignored)) {
    const auto& what = threads[it->path()] = doings(it->path());
    if (!what.starts_with("State:\tS")) return false;
  }
  return threads.size() > before;
}

bool all_asleep(pid_t parent, std::map<std::string, std::string>& threads) {
  if (!asleep(parent, threads)) return false;
  for (const pid_t child : children_of(parent))
    if (!asleep(child, threads)) return false;
  return true;
}

} // namespace

bool program::wait_quiet() {
  return eventually([&] {
    read_output();
    // Nobody ran from the first look to the second, so all of them slept between the two. Whom a
    // message waits for does not sleep.
    std::map<std::string, std::string> first, second;
    return all_asleep(pid(), first) && all_asleep(pid(), second) && first == second;
  });
}

bool program::wait_exit_within(std::chrono::milliseconds time) const {
  pollfd p{process_.pidfd(), POLLIN, 0};
  return ::poll(&p, 1, static_cast<int>(time.count())) == 1;
}

// ---- /proc

std::size_t open_files(pid_t pid) {
  std::error_code ignored;
  std::size_t n = 0;
  for (std::filesystem::directory_iterator it{"/proc/" + std::to_string(pid) + "/fd", ignored}, end;
       it != end; it.increment(ignored))
    ++n;
  return n;
}

std::size_t resident_kib(pid_t pid) {
  const auto text = proc(pid, "status");
  const auto at = text.find("VmRSS:");
  return at == std::string::npos ? 0 : std::strtoul(text.c_str() + at + 6, nullptr, 10);
}

double cpu_seconds(pid_t pid) {
  const auto fields = stat_fields(pid);
  if (fields.size() < 13) return 0;
  return (std::stod(fields[11]) + std::stod(fields[12])) /
         static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::string title(pid_t pid) {
  auto text = proc(pid, "cmdline");
  return text.c_str();
}

char process_state(pid_t pid) {
  const auto fields = stat_fields(pid);
  return fields.empty() ? '\0' : fields[0][0];
}

std::vector<pid_t> children_of(pid_t pid) {
  std::istringstream in{proc(pid, ("task/" + std::to_string(pid) + "/children").c_str())};
  std::vector<pid_t> children;
  for (pid_t child; in >> child;) children.push_back(child);
  return children;
}

} // namespace coppice::test
