#include <coppice/runtime/caf/log_printer.hpp>

#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <coppice/runtime/limits.hpp>
#include <string>
#include <unordered_map>

namespace coppice {
namespace {

/// Text comes in pieces from each actor, and leaves in lines.
class line_collector {
public:
  void add(caf::actor_id who, const std::string& text, logger& log) {
    std::string& line = lines_[who];
    for (char c : text) {
      if (c == '\n')
        write(line, log);
      else if (line.size() < limits::reason)
        line += c;
    }
    if (line.empty()) lines_.erase(who);
  }
  /// `who` has ended, or wants its last line to be seen.
  void flush(caf::actor_id who, logger& log) {
    if (auto found = lines_.find(who); found != lines_.end()) {
      write(found->second, log);
      lines_.erase(found);
    }
  }

private:
  static void write(std::string& line, logger& log) {
    if (!line.empty()) log.warn("{}", line);
    line.clear();
  }

  std::unordered_map<caf::actor_id, std::string> lines_;
};

} // namespace

caf::actor spawn_log_printer(caf::actor_system& system, logger& log) {
  auto start = [&log](caf::stateful_actor<line_collector>* self) -> caf::behavior {
    self->set_default_handler(caf::drop); // redirections to files: not supported
    return {
        [self, &log](caf::add_atom, caf::actor_id who, const std::string& text) {
          self->state.add(who, text, log);
        },
        [self, &log](caf::flush_atom, caf::actor_id who) { self->state.flush(who, log); },
        [self, &log](caf::delete_atom, caf::actor_id who) { self->state.flush(who, log); },
    };
  };
  return system.spawn<caf::hidden>(start);
}

} // namespace coppice
