#include "support/process_tree.hpp"

#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

namespace bench {

namespace fs = std::filesystem;

std::optional<pid_t> parent_of(pid_t pid) {
  std::ifstream file{fmt::format("/proc/{}/stat", pid)};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  // The name stands in parentheses and may hold any character, so look for the last one.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields{text.substr(name_end + 1)};
  char state = 0;
  pid_t parent = 0;
  if (fields >> state >> parent) return parent;
  return std::nullopt;
}

std::vector<pid_t> process_tree(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : fs::directory_iterator{"/proc"}) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc{} || end != name.data() + name.size()) continue;
    if (const auto parent = parent_of(pid)) children.emplace(*parent, pid);
  }
  std::vector<pid_t> tree{root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const auto [first, last] = children.equal_range(tree[i]);
    for (auto child = first; child != last; ++child) tree.push_back(child->second);
  }
  return tree;
}

std::int64_t cpu_time(const std::vector<pid_t>& processes) {
  std::int64_t sum = 0;
  for (const pid_t pid : processes) {
    std::error_code gone;
    for (const auto& thread : fs::directory_iterator{fmt::format("/proc/{}/task", pid), gone}) {
      std::ifstream file{thread.path() / "schedstat"};
      std::int64_t on_cpu = 0;
      if (file >> on_cpu) sum += on_cpu;
    }
  }
  return sum;
}

} // namespace bench
