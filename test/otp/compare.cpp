#include "compare.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <sstream>

namespace coppice::otp {
namespace {

/// The steps of each group; none at boot.
std::vector<std::vector<step>> groups_of(const script& what) {
  std::vector<std::vector<step>> all(1);
  for (const step& each : what.steps) {
    if (!each.at_once) all.emplace_back();
    all.back().push_back(each);
  }
  return all;
}

std::string heading(const std::vector<step>& group) {
  if (group.empty()) return "boot\n";
  std::string text;
  for (const step& each : group) text += to_text(each) + "\n";
  return text;
}

std::string column(const std::vector<std::string>& lines, std::size_t i) {
  return i < lines.size() ? lines[i] : "";
}

/// Whose child, by the line about its stop or end; empty if it is no dynamic child.
std::string dynamic_parent(const std::map<std::string, std::string>& parents,
                           const std::string& line) {
  std::istringstream in{line};
  std::string word;
  std::string id;
  in >> word >> id;
  const auto found = parents.find(id);
  return (word == "asked" || word == "end") && found != parents.end() ? found->second : "";
}

/// Dynamic children are stopped all at once, in no order that OTP promises: lines about the ends of
/// one supervisor's children that follow each other are sorted.
story in_any_order(const script& what, story told) {
  std::map<std::string, std::string> parents;
  for (const step& each : what.steps)
    if (each.what == verb::start_dynamic) parents[each.id] = each.supervisor;
  for (auto& lines : told)
    for (auto from = lines.begin(); from != lines.end();) {
      const std::string parent = dynamic_parent(parents, *from);
      const auto to = std::find_if(from + 1, lines.end(), [&](const std::string& line) {
        return parent.empty() || dynamic_parent(parents, line) != parent;
      });
      std::sort(from, to);
      from = to;
    }
  return told;
}

} // namespace

std::optional<std::string> difference(const script& what, const story& otp_told,
                                      const story& we_told) {
  const story otps = in_any_order(what, otp_told);
  const story ours = in_any_order(what, we_told);
  if (otps == ours) return std::nullopt;
  const auto groups = groups_of(what);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto theirs = g < otps.size() ? otps[g] : std::vector<std::string>{};
    const auto mine = g < ours.size() ? ours[g] : std::vector<std::string>{};
    if (theirs == mine) continue;
    std::size_t width = 20;
    for (const std::string& line : theirs) width = std::max(width, line.size());
    std::string text = heading(groups[g]);
    text += fmt::format("    {:{}}   {}\n", "OTP", width, "ours");
    for (std::size_t i = 0; i < std::max(theirs.size(), mine.size()); ++i)
      text += fmt::format("  {} {:{}} | {}\n", column(theirs, i) == column(mine, i) ? ' ' : '*',
                          column(theirs, i), width, column(mine, i));
    return text;
  }
  return "OTP tells of more groups than there are\n";
}

std::string to_text(const script& what, const story& told) {
  const auto groups = groups_of(what);
  std::string text;
  for (std::size_t g = 0; g < told.size(); ++g) {
    text += g < groups.size() ? heading(groups[g]) : "?\n";
    for (const std::string& line : told[g]) text += "    " + line + "\n";
  }
  return text;
}

} // namespace coppice::otp
