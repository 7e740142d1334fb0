#include "compare.hpp"

#include <algorithm>
#include <fmt/format.h>

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

} // namespace

std::optional<std::string> difference(const script& what, const story& otps, const story& ours) {
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
