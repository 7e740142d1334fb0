#pragma once
// The image of one program in the primary: one actor for one incarnation. It starts the program,
// tells the supervisor when it is ready, asks it to end, and reports its end. program_phase.hpp
// decides; this acts.

#include <coppice/actors/program_phase.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/program/program_link.hpp>
#include <coppice/supervisors/messages.hpp>

#include <functional>
#include <memory>
#include <string>

namespace coppice {

struct program_told { ///< the link -> program_proxy
  program_event event;
};

struct program_proxy_parts {
  std::string name; ///< the child's id: "cache"
  std::uint64_t incarnation = 1;
  caf::actor supervisor;
  std::unique_ptr<program_link> link;
  int stop_signal = 0;
  /// How the link's events become messages: through the loop, never inline.
  std::function<void(const caf::actor_addr&, program_told)> deliver;
};

class program_proxy {
public:
  static constexpr const char* name = "program_proxy";

  program_proxy(caf::event_based_actor* self, program_proxy_parts parts);
  caf::behavior make_behavior();

private:
  void handle(program_happening what);
  void act(program_action action);
  void signal(int number);
  void on_link(const program_event& event);
  void report();

  caf::event_based_actor* self_;
  program_proxy_parts parts_;
  program_phase phase_ = program_phase::starting;
  bool asked_to_end_ = false; ///< any end is a good one then
  int last_signal_ = 0;
  pid_t pid_ = 0;
  ending how_;
};

} // namespace coppice

COPPICE_MESSAGES_BEGIN(program_messages, 240)
COPPICE_LOCAL_MESSAGE(program_messages, coppice::program_told)
COPPICE_MESSAGES_END(program_messages)
