#pragma once
// A script: a supervision tree, and what happens to it. It is played to OTP's supervisor and to
// ours, and both have to lead to the same lines. Plain values, and the text that both read:
//
//   supervisor top strategy rest_for_one restarts 2 period 5 auto_shutdown any_significant
//   child a in top restart transient significant yes shutdown 3 stop slow:2 starts ok,fail
//   supervisor mid in top restart temporary strategy one_for_all
//   child b in mid link exit
//   supervisor dyn in top strategy simple_one_for_one
//   child d in dyn shutdown brutal_kill
//   then die a crash
//   and kill b
//   then terminate_child top a
//   then start_child top x restart temporary
//   then pass 3            (seconds; or 1900ms)
//
// Children start in the order of their lines. What is left out has its default. Of a dynamic
// supervisor the one child is the template. `then` waits until what came before has had all its
// consequences, every stop that was asked for included; `and` does not.

#include <coppice/supervisors/child_spec.hpp>
#include <coppice/supervisors/supervisor_spec.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::otp {

enum class strategy { one_for_one, one_for_all, rest_for_one, simple_one_for_one };

/// What a child does when it is asked to stop.
enum class stop_manner {
  obey,   ///< it ends at once, without a word: it does not trap exits
  normal, ///< it ends at once, normally
  crash,  ///< it ends at once, abnormally
  slow,   ///< it ends after `stop_seconds`
  ignore, ///< it does not end
};

/// How one start goes.
enum class start_outcome {
  ok,
  fail,  ///< an error is returned
  crash, ///< an exception is thrown
};

/// A supervisor or a child of one, as one line of the script.
struct node {
  std::string id{};
  std::string parent{}; ///< empty: the top supervisor
  bool is_supervisor = false;

  // as somebody's child
  restart_type restart = permanent;
  bool significant = false;
  /// Seconds, if it is not the default, which is 5 s for children and infinity for supervisors.
  std::optional<shutdown_time> shutdown{};

  // a supervisor
  otp::strategy strategy = strategy::one_for_one;
  unsigned restarts = 1;
  int period = 5; ///< seconds
  auto_shutdown_policy auto_shutdown = auto_shutdown_policy::never;

  // a child
  stop_manner stop = stop_manner::obey;
  int stop_seconds = 0;
  bool plain_actor = false;            ///< link exit: of ours alone
  std::vector<start_outcome> starts{}; ///< of its first starts; later ones are ok

  bool operator==(const node&) const = default;
};

enum class verb {
  die,             ///< a child ends by itself, by reason `how`
  kill,            ///< a child is killed by somebody
  next,            ///< its next starts go as `how` says: "fail,crash"
  pass,            ///< `time` goes by
  stop,            ///< the top supervisor is asked to stop
  start_child,     ///< with `added`
  terminate_child, ///< this and the following: calls to `supervisor` about `id`
  restart_child,
  delete_child,
  get_childspec,
  which_children,
  count_children,
  start_dynamic,
  stop_dynamic,
};

struct step {
  bool at_once = false; ///< `and`
  verb what = verb::pass;
  std::string supervisor{};
  std::string id{};
  std::string how{}; ///< die: normal, shutdown, term (OTP's {shutdown, Term}), crash
  std::chrono::milliseconds time{0};
  std::optional<node> added{};

  bool operator==(const step&) const = default;
};

struct script {
  std::vector<node> nodes{}; ///< a supervisor before its children
  std::vector<step> steps{};

  bool operator==(const script&) const = default;
};

[[nodiscard]] std::string_view to_string(strategy what) noexcept;
[[nodiscard]] std::string_view to_string(verb what) noexcept;
[[nodiscard]] std::string_view to_string(stop_manner what) noexcept;
[[nodiscard]] std::string_view to_string(start_outcome what) noexcept;

[[nodiscard]] std::string to_text(const node& what);
[[nodiscard]] std::string to_text(const step& what);
[[nodiscard]] std::string to_text(const script& what);
/// Lines that are empty or begin with '#' are left out. Throws std::invalid_argument, with the
/// line.
[[nodiscard]] script parse(std::string_view text);
/// "fail,crash"
[[nodiscard]] std::vector<start_outcome> parse_starts(std::string_view text);

} // namespace coppice::otp
