#pragma once
// The actor behind `caf::aout`: lines that actors print, and CAF's own complaints, go to our log as
// warnings. CAF uses its printer without looking whether there is one, and its own has a thread.

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <coppice/runtime/log.hpp>

namespace coppice {

/// `log` must outlive the actor system.
[[nodiscard]] caf::actor spawn_log_printer(caf::actor_system& system, logger& log);

} // namespace coppice
