#include <coppice/supervisors/supervisor.hpp>

#include <coppice/supervisors/supervisor_actor.hpp>

#include <utility>

namespace coppice {

caf::actor spawn_supervisor(caf::actor_system& system, supervisor_options options) {
  return port::spawn_state<supervisor_actor>(system, std::move(options));
}

startable nested_supervisor(child_spec spec, supervisor_options options) {
  spec.type = child_type::supervisor;
  return {.spec = std::move(spec), .start = [options = std::move(options)](const start_context& c) {
            supervisor_options mine = options;
            mine.id = c.id;
            mine.parent = c.supervisor;
            mine.incarnation = c.incarnation;
            mine.seed += c.incarnation; // or each incarnation would wait just like the one before
            return spawn_supervisor(*c.system, std::move(mine));
          }};
}

} // namespace coppice
