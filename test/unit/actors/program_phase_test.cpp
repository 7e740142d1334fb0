#include "support/catch.hpp"

#include <coppice/actors/program_phase.hpp>
#include <map>

using namespace coppice;
using phase = program_phase;
using what = program_happening;
using action = program_action;

namespace {

// The table of the header, written a second time by hand: what is not here is ignored.
const std::map<std::pair<phase, what>, program_step> answers{
    {{phase::starting, what::ready}, {phase::running, action::announce}},
    {{phase::starting, what::shutdown}, {phase::stopping, action::ask}},
    {{phase::starting, what::hurry}, {phase::stopping, action::term}},
    {{phase::starting, what::kill}, {phase::stopping, action::kill}},
    {{phase::starting, what::ended}, {phase::ended, action::report}},
    {{phase::starting, what::failed}, {phase::ended, action::report}},
    {{phase::running, what::shutdown}, {phase::stopping, action::ask}},
    {{phase::running, what::hurry}, {phase::stopping, action::term}},
    {{phase::running, what::kill}, {phase::stopping, action::kill}},
    {{phase::running, what::ended}, {phase::ended, action::report}},
    {{phase::stopping, what::started}, {phase::stopping, action::repeat}},
    {{phase::stopping, what::hurry}, {phase::stopping, action::term}},
    {{phase::stopping, what::kill}, {phase::stopping, action::kill}},
    {{phase::stopping, what::ended}, {phase::ended, action::report}},
    {{phase::stopping, what::failed}, {phase::ended, action::report}},
};

} // namespace

TEST_CASE("every pair of a program's phase and a happening has the answer of the table") {
  for (const auto p : program_phases)
    for (const auto w : program_happenings) {
      INFO(static_cast<int>(p) << ", " << static_cast<int>(w));
      const auto it = answers.find({p, w});
      CHECK(step(p, w) == (it == answers.end() ? program_step{p, action::none} : it->second));
    }
}

TEST_CASE("a program's phases only go forward, and its end is reported once") {
  for (const auto p : program_phases)
    for (const auto w : program_happenings) {
      CHECK(step(p, w).next >= p);
      if (step(p, w).action == action::report) CHECK(step(p, w).next == phase::ended);
    }
  for (const auto w : program_happenings)
    CHECK(step(phase::ended, w) == program_step{phase::ended, action::none});
}
