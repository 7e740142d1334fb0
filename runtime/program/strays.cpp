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

std::vector<stray> find_strays(std::string_view mark, pid_t main) {
  std::vector<stray> found;
  for (const pid_t pid : children_of_this_process()) {
    // A zombie's environment is empty.
    if (pid == main || !has_variable(text_of(pid, "environ"), mark)) continue;
    auto process = os::adopt_child(pid);
    if (!process) continue;
    auto name = text_of(pid, "comm");
    while (name.ends_with('\n')) name.pop_back();
    found.push_back({std::move(name), *std::move(process)});
  }
  return found;
}

} // namespace coppice
