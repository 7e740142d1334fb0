#pragma once
// Plays events to the supervision core in virtual time, and writes down what it says in short
// words:
//
//   "start a#1"  "stop a"  "hurry a"  "kill a"  "up"  "stopped"  "give_up"  "failed_start a: why"
//   "1: ok"  "2: running"  the answer to the first call, and to the second
//
// "stop a#1" is the second incarnation's, while one takes over from another.
// Timers are kept here and fire when time passes. Reports are kept as lines.

#include <coppice/supervisors/deadlines.hpp>
#include <coppice/supervisors/supervision.hpp>

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::test {

using namespace std::chrono_literals;

inline ending well(std::string reason = "exit code 0") { return {ending::well, std::move(reason)}; }
inline ending abnormal(std::string reason = "SIGSEGV") {
  return {ending::abnormal, std::move(reason)};
}
inline ending useful(std::string reason = "SIGKILL") {
  return {ending::abnormal, std::move(reason), true};
}
inline ending not_started(std::string reason = "out of memory") {
  return {ending::start_failed, std::move(reason)};
}

/// No jitter: waits are exact.
inline constexpr backoff exact{
    .first = std::chrono::milliseconds{100}, .max = std::chrono::milliseconds{30'000}, .jitter = 0};

class script {
public:
  script(supervisor_spec spec, std::vector<child_spec> children, std::uint64_t seed = 1)
      : core_{std::make_unique<supervision>("top", spec, std::move(children), seed)} {
    learn_ids();
  }
  /// A dynamic supervisor.
  static script dynamic(supervisor_spec spec, child_template children) {
    return script{std::make_unique<supervision>("top", spec, std::vector<child_spec>{},
                                                std::move(children), 1)};
  }

  // Each plays one event and returns what was said to it.
  std::string begin() { return play(supervising::begin{}); }
  std::string ready(std::string_view id) {
    return play(supervising::child_ready{key(id), incarnation(id), 70});
  }
  std::string ends(std::string_view id, ending how) {
    return play(supervising::child_ended{key(id), incarnation(id), std::move(how)});
  }
  /// A call; its ticket is the next number, from 1.
  std::string ask(calls::request what) {
    return play(supervising::call{++last_ticket_, std::move(what)});
  }
  std::string ready(std::string_view id, std::uint64_t incarnation) {
    return play(supervising::child_ready{key(id), incarnation, 70});
  }
  std::string ends(std::string_view id, std::uint64_t incarnation, ending how) {
    return play(supervising::child_ended{key(id), incarnation, std::move(how)});
  }
  std::string retires(std::string_view id, ending how) {
    return play(supervising::child_retires{key(id), incarnation(id), std::move(how)});
  }
  std::string stop() { return play(supervising::stop_requested{}); }
  std::string hurry(monotonic_duration limit) { return play(supervising::hurry{limit}); }
  std::string kill() { return play(supervising::kill{}); }
  std::string play(const supervising::event& what);
  /// Lets time pass; what the timers that become due make it say, joined.
  std::string pass(monotonic_duration length);

  /// Begins, and every child becomes ready in its turn.
  void boot();

  [[nodiscard]] const supervision& core() const { return *core_; }
  [[nodiscard]] const supervised_child& child(std::string_view id) const;
  /// Also of a child that has been removed.
  [[nodiscard]] child_state state(std::string_view id) const;
  /// Of the second incarnation, if there is one.
  [[nodiscard]] std::optional<child_state> second(std::string_view id) const {
    const auto& other = child(id).second;
    return other ? std::optional{other->state} : std::nullopt;
  }
  [[nodiscard]] std::uint64_t incarnation(std::string_view id) const {
    return child(id).incarnation;
  }
  [[nodiscard]] monotonic_time now() const { return now_; }
  [[nodiscard]] child_key key(std::string_view id) const;
  [[nodiscard]] const std::vector<supervisor_report>& reports() const { return reports_; }
  [[nodiscard]] const supervisor_report& last_report() const { return reports_.back(); }
  /// Texts of the refusals.
  [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }
  [[nodiscard]] const deadlines& timers() const { return timers_; }

private:
  explicit script(std::unique_ptr<supervision> core) : core_{std::move(core)} {}
  void learn_ids();

  std::unique_ptr<supervision> core_;
  std::map<std::string, child_key, std::less<>> ids_; // of removed children, too
  deadlines timers_;
  monotonic_time now_{1h};
  std::vector<supervisor_report> reports_;
  std::vector<std::string> failures_;
  std::uint64_t last_ticket_ = 0;
  unsigned adopted_ = 0;
};

} // namespace coppice::test
