#include <coppice/supervisors/tree_node.hpp>

#include <fmt/format.h>

namespace coppice {
namespace {

std::string line(const tree_node& node) {
  std::string text = fmt::format("{}  {}  {}", node.id, node.kind, node.state);
  if (!node.strategy.empty()) text += "  " + node.strategy;
  if (node.pid != 0) text += fmt::format("  pid {}", node.pid);
  if (node.incarnation > 1) text += fmt::format("  incarnation {}", node.incarnation);
  if (node.restarts > 0) text += fmt::format("  restarts {}", node.restarts);
  if (node.degraded) text += "  degraded";
  return text + "\n";
}

void append_children(std::string& text, const tree_node& node, const std::string& indent) {
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const bool last = i + 1 == node.children.size();
    text += indent + (last ? "`- " : "|- ") + line(node.children[i]);
    append_children(text, node.children[i], indent + (last ? "   " : "|  "));
  }
}

} // namespace

std::string to_text(const tree_node& root) {
  std::string text = line(root);
  append_children(text, root, "");
  return text;
}

} // namespace coppice
