#include <coppice/runtime/spawn/program_start.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/spawn/exec_child.hpp>
#include <coppice/runtime/spawn/process_settings.hpp>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <memory>
#include <new>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace coppice {
namespace {

/// The child's report, seen by both even where the child has a copy of our memory.
class shared_report {
public:
  shared_report()
      : page_{::mmap(nullptr, sizeof(exec_report), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0)} {
    if (page_ != MAP_FAILED) new (page_) exec_report{};
  }
  shared_report(const shared_report&) = delete;
  shared_report& operator=(const shared_report&) = delete;
  ~shared_report() {
    if (page_ != MAP_FAILED) ::munmap(page_, sizeof(exec_report));
  }
  [[nodiscard]] exec_report* get() const {
    return page_ == MAP_FAILED ? nullptr : static_cast<exec_report*>(page_);
  }

private:
  void* page_;
};

/// No handler of ours may run in a child that shares our memory.
class no_signals {
public:
  no_signals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  no_signals(const no_signals&) = delete;
  no_signals& operator=(const no_signals&) = delete;
  ~no_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
  sigset_t before_;
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

bool names_input(const program_start& program) {
  return std::any_of(program.descriptors.begin(), program.descriptors.end(),
                     [](const auto& each) { return each.theirs == STDIN_FILENO; });
}

std::string_view name_in(std::string_view entry) { return entry.substr(0, entry.find('=')); }

void unset(std::vector<std::string>& variables, std::string_view name) {
  std::erase_if(variables, [&](const std::string& entry) { return name_in(entry) == name; });
}

void put(std::vector<std::string>& variables, const std::string& entry) {
  unset(variables, name_in(entry));
  variables.push_back(entry);
}

/// What was said to this process, and would be taken for itself by a program that is not ours: our
/// own letters, and those of systemd's that go with descriptors or speak in our name
/// (sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)).
bool is_letter(std::string_view entry) {
  constexpr std::string_view ours = "COPPICE_";
  constexpr std::string_view theirs[] = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
                                         "LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES"};
  return entry.starts_with(ours) ||
         std::find(std::begin(theirs), std::end(theirs), name_in(entry)) != std::end(theirs);
}

error error_from(const exec_report& report, const program_start& program) {
  const auto failed = [&](const char* verb, std::string object) {
    return error{verb, std::move(object), std::error_code{report.code, std::system_category()}, {}};
  };
  switch (report.failed) {
  case exec_report::step::session:
    return failed("make a session for", program.executable);
  case exec_report::step::descriptors:
    return failed("set descriptors of", program.executable);
  case exec_report::step::input:
    return failed("open", "/dev/null");
  case exec_report::step::setup:
    return step_error(program.steps[report.index], report.code);
  case exec_report::step::parent:
    return failed("watch", "parent");
  case exec_report::step::none:
  case exec_report::step::exec:
    break;
  }
  return failed("start", program.executable);
}

/// Makes the child and waits until it has exec'd or ended. With another identity it gets a copy of
/// our memory instead of sharing it: for as long as it is shared, whoever may trace or stop a
/// process of that identity would have a hand in ours, and the kernel would mark our memory as not
/// dumpable (commit_creds).
result<os::child_process> clone_child(exec_order& order, const program_start& program) {
  const int memory = changes_identity(program.steps) ? 0 : CLONE_VM;
  const auto stack = std::make_unique<std::byte[]>(limits::exec_stack);
  int pidfd = -1;
  pid_t pid = 0;
  {
    const no_signals quiet;
    pid = ::clone(run_exec_child, stack.get() + limits::exec_stack,
                  memory | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &order, &pidfd);
  }
  if (pid < 0) return system_failure("start", program.executable);
  if (pidfd < 0) return os::adopt_or_end(pid); // Linux before 5.2 has no CLONE_PIDFD
  return os::child_process{pid, os::unique_fd{pidfd}};
}

} // namespace

std::vector<std::string> environment_for(const program_start& program) {
  using wire::setup_kind;
  std::vector<std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    if (!program.foreign || !is_letter(*entry)) variables.emplace_back(*entry);
  for (const auto& step : program.steps) {
    if (step.kind == setup_kind::clear_environment) variables.clear();
    if (step.kind == setup_kind::unset_variable) unset(variables, step.text);
    if (step.kind == setup_kind::set_variable) put(variables, step.text);
  }
  for (const auto& entry : program.environment) put(variables, entry);
  return variables;
}

result<os::child_process> start_program(const program_start& program) {
  // Copies above every number that the child will use: a dup must not overwrite the source of the
  // next one.
  int lowest_closed = STDERR_FILENO + 1;
  for (const auto& each : program.descriptors)
    lowest_closed = std::max(lowest_closed, each.theirs + 1);
  std::vector<os::unique_fd> copies;
  std::vector<exec_order::move> moves;
  for (const auto& each : program.descriptors) {
    auto copy = os::duplicate_above(each.ours, lowest_closed);
    if (!copy) return tl::make_unexpected(std::move(copy.error()));
    moves.push_back({copy->get(), each.theirs});
    copies.push_back(*std::move(copy));
  }

  const shared_report report;
  if (report.get() == nullptr) return system_failure("start", program.executable, ENOMEM);
  const std::vector<std::string> alone{program.executable};
  const auto argv = pointers_to(program.argv.empty() ? alone : program.argv);
  const auto variables = environment_for(program);
  const auto environment = pointers_to(variables);
  exec_order order{program.executable.c_str(),
                   argv.data(),
                   environment.data(),
                   moves,
                   !names_input(program),
                   lowest_closed,
                   program.steps,
                   program.session == child_session::own,
                   program.session == child_session::own_group,
                   program.parent_death_signal,
                   ::getpid(),
                   report.get()};
  auto child = clone_child(order, program);
  // A child that has reported a failure ends by itself; dropping it reaps it.
  if (child && report.get()->failed != exec_report::step::none)
    return tl::make_unexpected(error_from(*report.get(), program));
  return child;
}

} // namespace coppice
