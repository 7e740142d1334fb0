#pragma once
// One node of the supervision tree as it looks at one moment: a copy, of no further use to it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coppice {

struct tree_node {
  std::string id{};
  std::string kind{};     ///< "supervisor", "worker", "program", "actor"
  std::string state{};    ///< "up", "starting", "backing_off", ...
  std::string strategy{}; ///< of a supervisor: "one_for_one"; else empty
  std::uint64_t incarnation = 0;
  std::uint64_t restarts = 0; ///< so often it has been started again
  std::int32_t pid = 0;       ///< its process if it has one of its own, and is up; else 0
  bool degraded = false;      ///< it kept dying without progress and is tried only now and then
  std::vector<tree_node> children{};
};

/// The tree as lines for people, each ending in a newline:
///
///     web   supervisor  up  one_for_one
///     |- web/1   worker  up  pid 71  incarnation 3  restarts 2
///     `- web/2   worker  backing_off
[[nodiscard]] std::string to_text(const tree_node& root);

} // namespace coppice
