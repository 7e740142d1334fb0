#include "coverage.hpp"

#include <fmt/format.h>
#include <set>
#include <sstream>

namespace coppice::otp {

void coverage::add(const script& what, const story& told) {
  std::map<std::string, const node*> by_id;
  std::map<std::string, std::string> parents;
  for (const node& each : what.nodes) {
    by_id[each.id] = &each;
    parents[each.id] = each.parent;
  }
  for (const step& each : what.steps) {
    count("step " + std::string{to_string(each.what)});
    if (each.added && by_id.try_emplace(each.id, &*each.added).second)
      parents[each.id] = each.supervisor;
    if (each.what == verb::start_dynamic)
      for (const node& made_from : what.nodes)
        if (made_from.parent == each.supervisor) {
          by_id[each.id] = &made_from;
          parents[each.id] = each.supervisor;
        }
  }

  std::set<std::string> asked;
  std::size_t group = 0;
  std::size_t next_step = 0;
  for (const auto& lines : told) {
    std::set<std::string> dying;
    bool stop = false;
    while (group > 0 && next_step < what.steps.size()) {
      const step& each = what.steps[next_step++];
      if (each.what == verb::die || each.what == verb::kill) dying.insert(each.id);
      stop |= each.what == verb::stop;
      if (next_step < what.steps.size() && !what.steps[next_step].at_once) break;
    }
    ++group;
    std::size_t restarts = 0;
    for (const std::string& line : lines) {
      std::istringstream in{line};
      std::string word;
      std::string id;
      std::string how;
      in >> word >> id >> how;
      if (word == "start") {
        count(how.empty() ? "start" : "start " + how);
        restarts += group > 1;
      } else if (word == "asked") {
        asked.insert(id);
        count("asked to stop");
      } else if (word == "end" && how.empty()) {
        count("end of a supervisor");
      } else if (word == "end") {
        const bool late = how == "killed" && asked.contains(id);
        asked.erase(id);
        count("end " + how + (late ? " for it was too slow" : ""));
        if (!dying.erase(id) || !by_id.contains(id)) continue;
        const node& child = *by_id[id];
        ++deaths_[fmt::format("{} {} {}", to_string(by_id[parents[id]]->strategy),
                              to_string(child.restart), how)];
      } else if (word == "over") {
        count(stop ? "the top stops as asked" : "the top ends by itself");
      } else if (word == "failed") {
        count("boot fails");
      } else if (word == "up") {
        count("boot");
      } else if (word == "no") {
        count("death of one that is not there");
      } else if (!word.ends_with(':')) { // a call: verb supervisor [id]: answer
        const bool looks = word == "which_children" || word == "count_children" ||
                           word == "get_childspec" || word == "a";
        const auto colon = line.find(": ");
        if (!looks && colon != std::string::npos) count(word + ": " + line.substr(colon + 2));
      }
    }
    if (restarts > 1) count("group with several starts");
  }
}

std::string coverage::to_text() const {
  std::string text = "what OTP was made to do:\n";
  for (const auto& [what, times] : counts_) text += fmt::format("  {:7}  {}\n", times, what);
  text += fmt::format("deaths of one kind of child, {} combinations:\n", deaths_.size());
  for (const auto& [what, times] : deaths_) text += fmt::format("  {:7}  {}\n", times, what);
  return text;
}

} // namespace coppice::otp
