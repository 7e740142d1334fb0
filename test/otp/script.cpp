#include "script.hpp"

#include <array>
#include <fmt/format.h>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace coppice::otp {
namespace {

constexpr std::array strategies{strategy::one_for_one, strategy::one_for_all,
                                strategy::rest_for_one, strategy::simple_one_for_one};
constexpr std::array restarts{permanent, transient, temporary};
constexpr std::array policies{auto_shutdown_policy::never, auto_shutdown_policy::any_significant,
                              auto_shutdown_policy::all_significant};
constexpr std::array manners{stop_manner::obey, stop_manner::normal, stop_manner::crash,
                             stop_manner::slow, stop_manner::ignore};
constexpr std::array outcomes{start_outcome::ok, start_outcome::fail, start_outcome::crash};
constexpr std::array verbs{verb::die,
                           verb::kill,
                           verb::next,
                           verb::pass,
                           verb::stop,
                           verb::start_child,
                           verb::terminate_child,
                           verb::restart_child,
                           verb::delete_child,
                           verb::get_childspec,
                           verb::which_children,
                           verb::count_children,
                           verb::start_dynamic,
                           verb::stop_dynamic};

template <class Values>
auto one_of(const Values& values, std::string_view text) {
  for (const auto each : values)
    if (to_string(each) == text) return each;
  throw std::invalid_argument{fmt::format("what is \"{}\"?", text)};
}

int number(std::string_view text) { return std::stoi(std::string{text}); }

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in{line};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

void take_pair(node& into, std::string_view key, std::string_view value) {
  if (key == "in") {
    into.parent = value;
  } else if (key == "restart") {
    into.restart = one_of(restarts, value);
  } else if (key == "significant") {
    into.significant = value == "yes";
  } else if (key == "shutdown") {
    into.shutdown = value == "brutal_kill" ? brutal_kill
                    : value == "infinity"  ? infinity
                                           : shutdown_time{std::chrono::seconds{number(value)}};
  } else if (key == "strategy") {
    into.strategy = one_of(strategies, value);
  } else if (key == "restarts") {
    into.restarts = static_cast<unsigned>(number(value));
  } else if (key == "period") {
    into.period = number(value);
  } else if (key == "auto_shutdown") {
    into.auto_shutdown = one_of(policies, value);
  } else if (key == "stop") {
    into.stop = one_of(manners, value.substr(0, value.find(':')));
    if (into.stop == stop_manner::slow) into.stop_seconds = number(value.substr(5));
  } else if (key == "link") {
    into.plain_actor = value == "exit";
  } else if (key == "starts") {
    into.starts = parse_starts(value);
  } else {
    throw std::invalid_argument{fmt::format("what is \"{}\"?", key)};
  }
}

node parse_node(const std::vector<std::string>& words, std::size_t first, bool is_supervisor) {
  node made{.id = words.at(first), .is_supervisor = is_supervisor};
  for (std::size_t i = first + 1; i < words.size(); i += 2)
    take_pair(made, words[i], words.at(i + 1));
  return made;
}

step parse_step(const std::vector<std::string>& words) {
  step made{.at_once = words[0] == "and", .what = one_of(verbs, words.at(1))};
  switch (made.what) {
  case verb::die:
  case verb::next:
    made.id = words.at(2);
    made.how = words.at(3);
    break;
  case verb::kill:
    made.id = words.at(2);
    break;
  case verb::pass:
    made.time = words.at(2).ends_with("ms") ? std::chrono::milliseconds{number(words[2])}
                                            : std::chrono::seconds{number(words[2])};
    break;
  case verb::stop:
    break;
  case verb::start_child:
    made.supervisor = words.at(2);
    made.added = parse_node(words, 3, false);
    made.id = made.added->id;
    break;
  case verb::terminate_child:
  case verb::restart_child:
  case verb::delete_child:
  case verb::get_childspec:
  case verb::start_dynamic:
  case verb::stop_dynamic:
    made.supervisor = words.at(2);
    made.id = words.at(3);
    break;
  case verb::which_children:
  case verb::count_children:
    made.supervisor = words.at(2);
    break;
  }
  return made;
}

/// What is not as by default.
std::string pairs(const node& what) {
  static const node usual{};
  std::string text;
  const auto add = [&](std::string_view key, std::string_view value) {
    text += fmt::format(" {} {}", key, value);
  };
  if (!what.parent.empty()) add("in", what.parent);
  if (what.restart != usual.restart) add("restart", to_string(what.restart));
  if (what.significant) add("significant", "yes");
  if (what.shutdown) {
    const auto limit = what.shutdown->limit();
    add("shutdown", limit                        ? fmt::format("{}", limit->count() / 1000)
                    : what.shutdown->is_brutal() ? "brutal_kill"
                                                 : "infinity");
  }
  if (what.is_supervisor) {
    add("strategy", to_string(what.strategy));
    add("restarts", std::to_string(what.restarts));
    add("period", std::to_string(what.period));
    if (what.auto_shutdown != usual.auto_shutdown)
      add("auto_shutdown", to_string(what.auto_shutdown));
  }
  if (what.stop == stop_manner::slow)
    add("stop", fmt::format("slow:{}", what.stop_seconds));
  else if (what.stop != usual.stop)
    add("stop", to_string(what.stop));
  if (what.plain_actor) add("link", "exit");
  if (!what.starts.empty()) {
    std::string all;
    for (const start_outcome each : what.starts)
      all += fmt::format("{}{}", all.empty() ? "" : ",", to_string(each));
    add("starts", all);
  }
  return text;
}

} // namespace

std::string_view to_string(strategy what) noexcept {
  switch (what) {
  case strategy::one_for_one:
    return "one_for_one";
  case strategy::one_for_all:
    return "one_for_all";
  case strategy::rest_for_one:
    return "rest_for_one";
  case strategy::simple_one_for_one:
    return "simple_one_for_one";
  }
  return "?";
}

std::string_view to_string(stop_manner what) noexcept {
  switch (what) {
  case stop_manner::obey:
    return "obey";
  case stop_manner::normal:
    return "normal";
  case stop_manner::crash:
    return "crash";
  case stop_manner::slow:
    return "slow";
  case stop_manner::ignore:
    return "ignore";
  }
  return "?";
}

std::string_view to_string(start_outcome what) noexcept {
  switch (what) {
  case start_outcome::ok:
    return "ok";
  case start_outcome::fail:
    return "fail";
  case start_outcome::crash:
    return "crash";
  }
  return "?";
}

std::string_view to_string(verb what) noexcept {
  switch (what) {
  case verb::die:
    return "die";
  case verb::kill:
    return "kill";
  case verb::next:
    return "next";
  case verb::pass:
    return "pass";
  case verb::stop:
    return "stop";
  case verb::start_child:
    return "start_child";
  case verb::terminate_child:
    return "terminate_child";
  case verb::restart_child:
    return "restart_child";
  case verb::delete_child:
    return "delete_child";
  case verb::get_childspec:
    return "get_childspec";
  case verb::which_children:
    return "which_children";
  case verb::count_children:
    return "count_children";
  case verb::start_dynamic:
    return "start_dynamic";
  case verb::stop_dynamic:
    return "stop_dynamic";
  }
  return "?";
}

std::vector<start_outcome> parse_starts(std::string_view text) {
  std::vector<start_outcome> all;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    all.push_back(one_of(outcomes, text.substr(from, comma - from)));
    from = comma + 1;
  }
  return all;
}

std::string to_text(const node& what) {
  return fmt::format("{} {}{}", what.is_supervisor ? "supervisor" : "child", what.id, pairs(what));
}

std::string to_text(const step& what) {
  std::string text = fmt::format("{} {}", what.at_once ? "and" : "then", to_string(what.what));
  if (!what.supervisor.empty()) text += " " + what.supervisor;
  if (!what.id.empty()) text += " " + what.id;
  if (!what.how.empty()) text += " " + what.how;
  if (what.what == verb::pass)
    text += what.time.count() % 1000 == 0 ? fmt::format(" {}", what.time.count() / 1000)
                                          : fmt::format(" {}ms", what.time.count());
  if (what.added) text += pairs(*what.added);
  return text;
}

std::string to_text(const script& what) {
  std::string text;
  for (const node& each : what.nodes) text += to_text(each) + "\n";
  for (const step& each : what.steps) text += to_text(each) + "\n";
  return text;
}

script parse(std::string_view text) {
  script made;
  std::istringstream in{std::string{text}};
  for (std::string line; std::getline(in, line);) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty() || words[0].starts_with('#')) continue;
    try {
      if (words[0] == "supervisor" || words[0] == "child")
        made.nodes.push_back(parse_node(words, 1, words[0] == "supervisor"));
      else if (words[0] == "then" || words[0] == "and")
        made.steps.push_back(parse_step(words));
      else
        throw std::invalid_argument{"what is \"" + words[0] + "\"?"};
    } catch (const std::exception& e) {
      throw std::invalid_argument{fmt::format("the line \"{}\": {}", line, e.what())};
    }
  }
  return made;
}

} // namespace coppice::otp
