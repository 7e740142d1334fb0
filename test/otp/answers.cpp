#include "answers.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace coppice::otp {
namespace {

std::string_view presence(const child_info& child) {
  switch (child.state) {
  case child_state::waiting:
  case child_state::backing_off:
    return "restarting";
  case child_state::starting:
  case child_state::up:
  case child_state::timing_out:
  case child_state::stopping:
  case child_state::killing:
    return "alive";
  case child_state::down:
  case child_state::removed:
    return "undefined";
  }
  return "?";
}

std::string name_of(const child_info& child, const diary& book) {
  if (presence(child) != "alive") return std::string{presence(child)};
  for (const auto& [name, id] : book.real_ids)
    if (id == child.id && book.living.contains(name)) return name;
  return "gone";
}

std::string shutdown_in_words(const child_spec& spec) {
  const shutdown_time shutdown = shutdown_of(spec);
  if (const auto limit = shutdown.limit()) return fmt::format("{}", limit->count());
  return shutdown.is_brutal() ? "brutal_kill" : "infinity";
}

} // namespace

std::string who(const call_value& children, bool dynamic, const diary& book) {
  std::vector<std::string> words;
  for (const child_info& each : std::get<std::vector<child_info>>(children))
    words.push_back(dynamic ? name_of(each, book) : fmt::format("{}={}", each.id, presence(each)));
  if (dynamic) std::ranges::sort(words);
  std::string text;
  for (const std::string& each : words) text += " " + each;
  return text;
}

std::string in_words(const call_value& answer, bool dynamic, const diary& book) {
  if (std::holds_alternative<std::vector<child_info>>(answer))
    return "these" + who(answer, dynamic, book);
  if (const auto* counts = std::get_if<child_counts>(&answer))
    return fmt::format("active {} supervisors {} workers {}", counts->active, counts->supervisors,
                       counts->workers);
  if (const auto* spec = std::get_if<child_spec>(&answer))
    return fmt::format("{} {} significant {} shutdown {}", to_string(spec->type),
                       to_string(spec->restart), spec->significant, shutdown_in_words(*spec));
  return "ok";
}

std::string in_words(const call_failure& why) {
  switch (why.code) {
  case call_error::start_failed:
    return "failed";
  case call_error::shutting_down:
    return "gone";
  case call_error::dynamic_child:
    return "simple_one_for_one";
  default:
    return std::string{to_string(why.code)};
  }
}

} // namespace coppice::otp
