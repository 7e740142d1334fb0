#pragma once
// A child of our side: starts, stops and dies as its script says, and writes down what happens to
// it, in the words of erlang/otp_child.erl.

#include "script.hpp"
#include "support/actor_world.hpp"

#include <coppice/supervisors/supervisor.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace coppice::otp {

/// What all children of one script share.
struct diary {
  std::vector<std::string> lines{};
  std::map<std::string, std::vector<start_outcome>> plans{}; ///< by id: of the next starts
  std::map<std::string, caf::actor> living{};                ///< by id
  std::set<std::string> asked{};                             ///< to stop, and have not ended
  /// Dynamic children have the ids that their supervisor gives them; in scripts they have others.
  std::map<std::string, std::string> real_ids{};

  void write(std::string line) { lines.push_back(std::move(line)); }
  [[nodiscard]] start_outcome next_start(const std::string& id);
  void begin(const std::string& id, caf::actor who) { living[id] = std::move(who); }
  void end(const std::string& id, const std::string& how);
};

/// To a child: the end by itself. normal, shutdown, term, crash, killed.
struct die_now {
  std::string how{};
};
/// From a slow child to itself.
struct stopped_slowly {};

/// What a supervisor starts for this line of the script.
[[nodiscard]] startable played_child(const node& what, std::shared_ptr<diary> book);

/// The spec of a node as somebody's child; without backoff, as OTP has none.
[[nodiscard]] child_spec spec_of(const node& what);

} // namespace coppice::otp

COPPICE_MESSAGES_BEGIN(otp_tests, 1200)
COPPICE_LOCAL_MESSAGE(otp_tests, coppice::otp::die_now)
COPPICE_LOCAL_MESSAGE(otp_tests, coppice::otp::stopped_slowly)
COPPICE_MESSAGES_END(otp_tests)
