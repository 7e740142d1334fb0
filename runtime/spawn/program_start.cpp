#include <coppice/runtime/spawn/program_start.hpp>

#include <coppice/runtime/os/duplicate.hpp>

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

namespace coppice {
namespace {

/// Owners of what posix_spawn wants; the calls on them fail only for want of memory.
struct file_actions {
  file_actions() { ::posix_spawn_file_actions_init(&it); }
  file_actions(const file_actions&) = delete;
  file_actions& operator=(const file_actions&) = delete;
  ~file_actions() { ::posix_spawn_file_actions_destroy(&it); }
  posix_spawn_file_actions_t it{};
};

struct attributes {
  attributes() { ::posix_spawnattr_init(&it); }
  attributes(const attributes&) = delete;
  attributes& operator=(const attributes&) = delete;
  ~attributes() { ::posix_spawnattr_destroy(&it); }
  posix_spawnattr_t it{};
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  return list;
}

int set_attributes(attributes& set) {
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  if (int failed = ::posix_spawnattr_setsigdefault(&set.it, &all)) return failed;
  if (int failed = ::posix_spawnattr_setsigmask(&set.it, &none)) return failed;
  return ::posix_spawnattr_setflags(&set.it, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                 POSIX_SPAWN_SETSID);
}

bool names_input(const program_start& program) {
  return std::any_of(program.descriptors.begin(), program.descriptors.end(),
                     [](const auto& each) { return each.theirs == STDIN_FILENO; });
}

} // namespace

result<os::child_process> start_program(const program_start& program) {
  const auto failed_with = [&](int code) {
    return system_failure("start", program.executable, code);
  };

  // Copies above every number that the child will use: a dup2 must not overwrite the source of the
  // next one.
  int lowest_closed = STDERR_FILENO + 1;
  for (const auto& each : program.descriptors)
    lowest_closed = std::max(lowest_closed, each.theirs + 1);
  std::vector<os::unique_fd> copies;
  file_actions actions;
  for (const auto& each : program.descriptors) {
    auto copy = os::duplicate_above(each.ours, lowest_closed);
    if (!copy) return tl::make_unexpected(std::move(copy.error()));
    if (int failed = ::posix_spawn_file_actions_adddup2(&actions.it, copy->get(), each.theirs))
      return failed_with(failed);
    copies.push_back(*std::move(copy));
  }
  if (!names_input(program))
    if (int failed =
            ::posix_spawn_file_actions_addopen(&actions.it, STDIN_FILENO, "/dev/null", O_RDONLY, 0))
      return failed_with(failed);
  if (int failed = ::posix_spawn_file_actions_addclosefrom_np(&actions.it, lowest_closed))
    return failed_with(failed);

  attributes set;
  if (int failed = set_attributes(set)) return failed_with(failed);

  const std::vector<std::string> alone{program.executable};
  auto argv = pointers_to(program.argv.empty() ? alone : program.argv);
  argv.push_back(nullptr);
  auto environment = pointers_to(program.environment);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    environment.push_back(*entry);
  environment.push_back(nullptr);

  pid_t pid = 0;
  if (int failed = ::posix_spawn(&pid, program.executable.c_str(), &actions.it, &set.it,
                                 argv.data(), environment.data()))
    return failed_with(failed);
  return os::adopt_or_end(pid);
}

} // namespace coppice
