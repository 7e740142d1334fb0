#include <bit>
#include <coppice/actors/listener.hpp>
#include <coppice/runtime/limits.hpp>
#include <vector>

namespace coppice {

listener::listener(caf::event_based_actor* self, listener_parts parts)
    : self_{self},
      parts_{std::move(parts)} {
  const auto myself = caf::actor_cast<caf::actor>(self_);
  parts_.pool->listeners.push_back(caf::actor_cast<caf::actor_addr>(myself));
  if (auto to = caf::actor_cast<caf::actor>(parts_.pool->dispatcher))
    port::mail(self_, listener_up{myself}).send(to);
}

listener::~listener() { parts_.socket->stop_waiting(); }

caf::behavior listener::make_behavior() {
  return {
      [this](const start_accepting& m) {
        dispatcher_ = m.dispatcher;
        if (state_ != state::paused && state_ != state::full) return;
        state_ = state::accepting;
        wait_for_connections();
      },
      [this](const stop_accepting&) {
        if (state_ == state::paused || state_ == state::ended) return;
        state_ = state::paused;
        parts_.socket->stop_waiting();
      },
      [this](const connection_waits&) {
        if (state_ == state::accepting) accept_waiting();
      },
      [this](const rest_over&) {
        if (state_ != state::resting) return;
        state_ = state::accepting;
        wait_for_connections();
      },
      [this](const end_accepting& m) {
        parts_.socket->stop_waiting();
        if (state_ != state::ended && dispatcher_)
          while (parts_.pool->acceptable() > 0 && accept_batch()) {
          }
        state_ = state::ended;
        parts_.socket->close();
        if (dispatcher_)
          port::mail(self_, everything_passed{m.reply_to}).send(dispatcher_);
        else
          port::mail(self_, accepting_ended{}).send(m.reply_to);
      },
  };
}

void listener::wait_for_connections() {
  parts_.socket->wait([deliver = parts_.deliver, to = caf::actor_cast<caf::actor_addr>(self_)] {
    deliver(to, connection_waits{});
  });
}

void listener::accept_waiting() {
  accept_batch();
  if (state_ != state::accepting) return;
  if (parts_.pool->acceptable() == 0) return become_full();
  wait_for_connections();
}

void listener::become_full() {
  state_ = state::full;
  parts_.pool->full = true;
}

bool listener::accept_batch() {
  std::vector<os::unique_fd> batch;
  bool more = true;
  const std::size_t most = parts_.pool->acceptable();
  while (batch.size() < most) {
    auto [outcome, socket, why] = parts_.socket->accept();
    if (outcome == accept_kind::connection) {
      batch.push_back(std::move(socket));
    } else if (outcome == accept_kind::exhausted) {
      rest(why);
      more = false;
      break;
    } else if (outcome == accept_kind::failed) {
      parts_.log->error("accept {}: {}; this endpoint serves no more", parts_.socket->endpoint(),
                        why.message());
      state_ = state::ended;
      more = false;
      break;
    } else if (outcome == accept_kind::would_block) {
      more = false;
      break;
    }
  }
  // Whoever is dispatcher by now knows nothing of what goes to the one before.
  if (parts_.pool->dispatcher == caf::actor_cast<caf::actor_addr>(dispatcher_))
    parts_.pool->passing += batch.size();
  if (!batch.empty())
    port::mail(self_, accepted_connections{parts_.index, std::move(batch)}).send(dispatcher_);
  return more;
}

// Level-triggered readiness with nobody able to accept is a busy loop: look away for a while.
void listener::rest(std::error_code why) {
  if (std::has_single_bit(
          ++exhausted_)) // the 1st, 2nd, 4th, ... time: a lasting shortage floods no log
    parts_.log->warn("accept {}: {}; resting for {} ms (seen {} times)", parts_.socket->endpoint(),
                     why.message(), limits::accept_rest.count(), exhausted_);
  if (state_ != state::accepting) return;
  state_ = state::resting;
  port::mail(self_, rest_over{})
      .delay(limits::accept_rest)
      .send(caf::actor_cast<caf::actor>(self_));
}

} // namespace coppice
