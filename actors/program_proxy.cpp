#include <coppice/actors/program_proxy.hpp>
#include <coppice/runtime/overloaded.hpp>

#include <csignal>
#include <utility>
#include <variant>

namespace coppice {

program_proxy::program_proxy(caf::event_based_actor* self, program_proxy_parts parts)
    : self_{self},
      parts_{std::move(parts)} {
  parts_.link->start([deliver = parts_.deliver,
                      address = caf::actor_cast<caf::actor_addr>(self_)](program_event event) {
    deliver(address, program_told{std::move(event)});
  });
}

caf::behavior program_proxy::make_behavior() {
  return {
      [this](const program_told& m) { on_link(m.event); },
      [this](const stop_child& m) {
        asked_to_end_ = true;
        switch (m.how) {
        case stop_how::shutdown:
          return handle(program_happening::shutdown);
        case stop_how::hurry:
          return handle(program_happening::hurry);
        case stop_how::kill:
          return handle(program_happening::kill);
        }
      },
  };
}

void program_proxy::handle(program_happening what) {
  const auto [next, action] = step(phase_, what);
  phase_ = next;
  act(action);
}

void program_proxy::act(program_action action) {
  switch (action) {
  case program_action::none:
    return;
  case program_action::announce:
    return port::mail(self_, child_ready{parts_.name, parts_.incarnation, pid_})
        .send(parts_.supervisor);
  case program_action::ask:
    return signal(parts_.stop_signal);
  case program_action::term:
    return signal(SIGTERM);
  case program_action::kill:
    return signal(SIGKILL);
  case program_action::repeat:
    return parts_.link->signal(last_signal_);
  case program_action::report:
    return report();
  }
}

void program_proxy::signal(int number) {
  last_signal_ = number;
  parts_.link->signal(number);
}

void program_proxy::on_link(const program_event& event) {
  std::visit(overloaded{
                 [this](const program_started& e) {
                   pid_ = e.pid;
                   handle(program_happening::started);
                 },
                 [this](const program_start_failed& e) {
                   how_ = {.how = ending::start_failed, .reason = e.why.message()};
                   handle(program_happening::failed);
                 },
                 [this](const program_is_ready&) { handle(program_happening::ready); },
                 [this](const program_ended& e) {
                   how_ = {.how =
                               asked_to_end_ || e.status.well() ? ending::well : ending::abnormal,
                           .reason = e.status.text(),
                           .pid = pid_};
                   handle(program_happening::ended);
                 },
             },
             event);
}

void program_proxy::report() {
  port::mail(self_, child_ended{parts_.name, parts_.incarnation, how_}).send(parts_.supervisor);
  self_->quit();
}

} // namespace coppice
