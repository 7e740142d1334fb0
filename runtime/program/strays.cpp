#include <coppice/runtime/program/strays.hpp>

#include <coppice/runtime/limits.hpp>

#include <cstdint>
#include <cstdlib>
#include <dirent.h>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <sstream>

namespace coppice {
namespace {

std::string text_of(pid_t pid, const char* file) {
  std::ifstream in{fmt::format("/proc/{}/{}", pid, file), std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

bool has_variable(const std::string& environment, std::string_view variable) {
  std::string_view rest = environment;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\0'), rest.size());
    if (rest.substr(0, end) == variable) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

void append_numbers(const std::string& path, std::vector<pid_t>& into) {
  std::ifstream in{path};
  for (pid_t pid = 0; into.size() < limits::children_looked_at && in >> pid;) into.push_back(pid);
}

enum class life {
  on,     ///< it has no environment, and goes on
  ending, ///< it is being taken down
  over,   ///< a zombie, or gone
};

/// From proc_pid_stat(5): the third word is the state, the ninth the flags, of which 4 is
/// PF_EXITING.
life life_of(pid_t pid) {
  const auto text = text_of(pid, "stat");
  const auto end_of_name = text.rfind(')');
  if (end_of_name == std::string::npos) return life::over;
  std::istringstream words{text.substr(end_of_name + 1)};
  char state = 0;
  long skipped = 0;
  unsigned long flags = 0;
  words >> state;
  for (int i = 0; i < 5; ++i) words >> skipped;
  words >> flags;
  if (state == 'Z' || state == 'X') return life::over;
  return (flags & 4) != 0 ? life::ending : life::on;
}

void adopt(pid_t pid, std::vector<stray>& into) {
  auto process = os::adopt_child(pid);
  if (!process) return;
  auto name = text_of(pid, "comm");
  while (name.ends_with('\n')) name.pop_back();
  into.push_back({std::move(name), *std::move(process)});
}

} // namespace

std::string new_mark() {
  std::random_device random;
  return fmt::format("INVOCATION_ID={:08x}{:08x}{:08x}{:08x}", random(), random(), random(),
                     random());
}

// Each thread has children of its own: those that it made, and those that were given to it.
std::vector<pid_t> children_of_this_process() {
  std::vector<pid_t> children;
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks{::opendir("/proc/self/task"), ::closedir};
  if (!tasks) return children;
  while (const dirent* entry = ::readdir(tasks.get()))
    if (entry->d_name[0] != '.')
      append_numbers(fmt::format("/proc/self/task/{}/children", entry->d_name), children);
  return children;
}

// A process that ends loses its environment first, then its children, and then it is a zombie. So
// what a look has missed, because it came to us after the list was read, is behind a child that was
// no zombie then: a look is repeated until it meets no new one.
strays_seen look_for_strays(std::string_view mark) {
  std::set<pid_t> zombies;
  for (;;) {
    strays_seen seen;
    bool again = false;
    for (const pid_t pid : children_of_this_process()) {
      const auto environment = text_of(pid, "environ");
      if (environment.empty()) {
        const auto how = life_of(pid);
        if (how == life::ending) seen.conclusive = false;
        if (how == life::over && zombies.insert(pid).second) again = true;
      } else if (has_variable(environment, mark)) {
        adopt(pid, seen.strays);
      }
    }
    if (!again || !seen.strays.empty()) return seen;
  }
}

} // namespace coppice
