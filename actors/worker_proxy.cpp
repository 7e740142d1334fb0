#include <algorithm>
#include <coppice/actors/worker_proxy.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/overloaded.hpp>
#include <csignal>
#include <tuple>
#include <type_traits>

namespace coppice {

worker_proxy::worker_proxy(caf::event_based_actor* self, worker_proxy_parts parts)
    : self_{self},
      parts_{std::move(parts)} {
  const auto address = caf::actor_cast<caf::actor_addr>(self_);
  if (parts_.pool) parts_.pool->proxies.push_back(address);
  if (parts_.post) sorter_.emplace(*parts_.post, mail_sender{parts_.id, parts_.key.incarnation});
  tell_mailbox(process_news::kind::exists);
  parts_.link->start([deliver = parts_.deliver, address](link_event event) {
    deliver(address, link_told{std::move(event)});
  });
}

worker_proxy::~worker_proxy() {
  if (parts_.pool) parts_.pool->forget_proxy(caf::actor_cast<caf::actor_addr>(self_));
}

caf::behavior worker_proxy::make_behavior() {
  return {
      [this](const link_told& m) { on_link(m.event); },
      [this](const handoff& m) {
        on_handoff(m.connections.take().value_or(std::vector<accepted_socket>{}));
      },
      [this](const sweep_taken&) { sweep(); },
      [this](const exit_overdue&) { handle(worker_event::deadline); },
      [this](const health_look_due&) { look_at_health(); },
      [this](const worker_forgotten&) { handle(worker_event::forgotten); },
      [this](const introduce_yourself&) {
        offer_credit();
        if (phase_ == worker_phase::flushing) take_leave();
      },
      [this](const refusal_over&) {
        resting_ = false;
        offer_credit();
      },
      [this](const stop_child& m) {
        asked_to_end_ = true;
        switch (m.how) {
        case stop_how::shutdown:
          return handle(worker_event::drain);
        case stop_how::hurry:
          return handle(worker_event::terminate);
        case stop_how::kill:
          return handle(worker_event::kill);
        }
      },
  };
}

void worker_proxy::handle(worker_event event) {
  const auto [next, action] = step(phase_, event);
  phase_ = next;
  act(action);
}

void worker_proxy::act(worker_action action) {
  if (action != worker_action::none && action != worker_action::announce) leave_messages();
  switch (action) {
  case worker_action::none:
    return;
  case worker_action::announce:
    return announce();
  case worker_action::ask_drain:
    tell_dispatcher(worker_leaving{parts_.key});
    look_at_ledger();
    parts_.link->ask_for_room(); // what it yields is waited for by clients
    plan_sweep();
    return parts_.link->ask_to_drain(parts_.patience, parts_.pool && !parts_.pool->ending);
  case worker_action::signal_end:
    tell_dispatcher(worker_leaving{parts_.key});
    return parts_.link->signal(SIGTERM);
  case worker_action::kill:
    tell_dispatcher(worker_leaving{parts_.key});
    return parts_.link->signal(SIGKILL);
  case worker_action::abort:
    tell_dispatcher(worker_leaving{parts_.key});
    parts_.link->signal(SIGABRT);
    parts_.link->signal(SIGCONT); // a stopped process would not hear the other one (signal(7))
    return port::mail(self_, exit_overdue{})
        .delay(limits::abort_grace)
        .send(caf::actor_cast<caf::actor>(self_));
  case worker_action::await_exit:
    tell_dispatcher(worker_leaving{parts_.key});
    return port::mail(self_, exit_overdue{})
        .delay(limits::exit_grace)
        .send(caf::actor_cast<caf::actor>(self_));
  case worker_action::hand_on:
    return hand_on();
  case worker_action::finish:
    return self_->quit();
  }
}

// ---- what the link tells

void worker_proxy::on_link(const link_event& event) {
  std::visit(overloaded{
                 [this](const link_spawned& e) { pid_ = e.pid; },
                 [this](const link_spawn_failed& e) {
                   start_failure_ = e.why.message();
                   handle(worker_event::start_failed);
                 },
                 [this](const link_said& e) { on_said(e.message); },
                 [this](const link_sent& e) { on_sent(e); },
                 [this](const link_has_room&) { tell_mailbox(process_news::kind::has_room); },
                 [this](const link_closed& e) {
                   broken_ = broken_ || e.broken;
                   if (e.broken && reason_.empty()) reason_ = e.why.message();
                   handle(e.broken ? worker_event::channel_broken : worker_event::channel_closed);
                 },
                 [this](const link_exited& e) {
                   status_ = e.status;
                   handle(worker_event::process_exited);
                 },
             },
             event);
}

void worker_proxy::on_said(const wire::control_message& message) {
  std::visit(overloaded{
                 [](const wire::unknown&) {}, // a later version's: it can live without our answer
                 [this](const wire::hello& m) {
                   if (m.incarnation == parts_.key.incarnation) return;
                   refuse("said hello for another incarnation");
                 },
                 [this](const wire::ready&) { handle(worker_event::ready); },
                 [this](const wire::room&) {
                   look_at_ledger();
                   plan_sweep();
                 },
                 [this](const wire::handed_back& m) {
                   if (!m.reason.empty())
                     parts_.log->info("{}: {} connections handed back: {}", parts_.name,
                                      m.connections.size(), m.reason);
                   rest_after_refusal();
                   give_back(untaken_.take_back(m.connections));
                   look_at_ledger();
                 },
                 [this](const wire::failed& m) { reason_ = m.reason; },
                 [this](const wire::retire& m) {
                   if (m.failed) reason_ = m.reason;
                   retire(m.failed ? ending::abnormal : ending::well, m.reason);
                 },
                 [](const wire::bye&) {}, // its exit follows, and says how it ended
                 [this](const auto& m) {  // a well-formed packet that only we or a zygote may send
                   refuse(
                       fmt::format("sent '{}', which is not a worker's to send", wire::name_of(m)));
                 },
             },
             message);
}

void worker_proxy::refuse(std::string why) {
  broken_ = true;
  if (reason_.empty()) reason_ = std::move(why);
  handle(worker_event::channel_broken);
}

// ---- connections

void worker_proxy::on_handoff(std::vector<accepted_socket> connections) {
  std::vector<offered_connection> offers;
  offers.reserve(connections.size());
  credit_out_ -= std::min(credit_out_, connections.size());
  // They may have crossed the news that this worker takes nothing more.
  if (phase_ != worker_phase::ready) return send_back(std::move(connections));
  for (auto& c : connections) {
    offered_connection offer{next_connection_++, c.listener, {}, 0, {}};
    offer.affinity = c.affinity;
    offer.seat = std::move(c.seat);
    if (lend(c, offer)) offers.push_back(std::move(offer));
  }
  const auto lost = connections.size() - offers.size();
  closed_ += lost;
  parts_.link->offer(offers); // if the channel is gone, they are untaken all the same
  for (auto& offer : offers) untaken_.add(std::move(offer));
  if (lost > 0) restore_credit();
  if (untaken_.size() >= limits::worker_credit / 2) look_at_ledger();
  if (untaken_.size() >= limits::worker_credit) settle(parts_.link->ask_for_room());
  plan_sweep();
}

void worker_proxy::send_back(std::vector<accepted_socket> connections) {
  if (!connections.empty()) tell_dispatcher(connections_returned{std::move(connections)});
}

/// What the worker has refused. It never touched it: what it came with is in its slot still.
void worker_proxy::give_back(std::vector<offered_connection> connections) {
  std::vector<accepted_socket> back;
  back.reserve(connections.size());
  for (auto& c : connections) {
    if (c.lease == 0) {
      back.push_back({c.listener, std::move(c.socket), nullptr, c.affinity, std::move(c.seat)});
      continue;
    }
    held_.vacate(c.lease);
    recover(std::move(c), parts_.level, blame::none, back);
  }
  send_back(std::move(back));
}

// A worker that refuses would refuse again at once: without a rest the two of us would throw the
// same connection to and fro for as long as it lasts.
void worker_proxy::rest_after_refusal() {
  if (phase_ != worker_phase::ready || resting_) return;
  resting_ = true;
  tell_dispatcher(worker_leaving{parts_.key});
  port::mail(self_, refusal_over{})
      .delay(limits::refusal_rest)
      .send(caf::actor_cast<caf::actor>(self_));
}

void worker_proxy::offer_credit() {
  if (phase_ != worker_phase::ready || resting_) return;
  closed_ = credit_out_ = 0;
  credit_out_ = room_left();
  tell_dispatcher(worker_up{parts_.key, caf::actor_cast<caf::actor>(self_), credit_out_,
                            untaken_.size() + held_.size() + unleased_.size()});
}

std::size_t worker_proxy::room_left() const {
  std::size_t room = limits::worker_credit - std::min(limits::worker_credit, untaken_.size());
  if (const auto most = parts_.pool ? parts_.pool->most_per_worker : 0; most > 0)
    room = std::min(room, most - std::min(most, untaken_.size() + held_.size() + unleased_.size()));
  return room - std::min(room, credit_out_);
}

void worker_proxy::restore_credit() {
  if (phase_ != worker_phase::ready) return;
  const std::size_t n = room_left();
  if (n == 0) return;
  credit_out_ += n;
  tell_dispatcher(credit_restored{parts_.key, n, std::exchange(closed_, 0)});
}

void worker_proxy::settle(const link_progress& now) {
  last_ = now;
  untaken_.settle(now, [this](offered_connection taken) { hold(std::move(taken)); });
  restore_credit();
}

// Most policies do not ask how many connections a worker has: then this goes along with the next
// credit.
void worker_proxy::tell_closed() {
  if (closed_ > 0 && phase_ == worker_phase::ready && parts_.pool->policy->counts_open())
    tell_dispatcher(credit_restored{parts_.key, 0, std::exchange(closed_, 0)});
}

// The returns are read first: what they name is taken by the time the counters are read.
void worker_proxy::look_at_ledger() {
  const auto returned = parts_.link->returned_leases();
  early_returns_.insert(early_returns_.end(), returned.begin(), returned.end());
  settle(parts_.link->progress());
  take_returns();
  take_ended();
  restore_credit();
  tell_closed();
}

// Taken connections cost us a descriptor each until somebody looks. Two looks, then the worker is
// asked to say so itself: a hung one must not make the primary poll.
void worker_proxy::plan_sweep() {
  if (sweep_planned_ || (untaken_.empty() && held_.size() == 0 && unleased_.empty())) return;
  sweep_planned_ = true;
  port::mail(self_, sweep_taken{})
      .delay(limits::taken_sweep)
      .send(caf::actor_cast<caf::actor>(self_));
}

void worker_proxy::sweep() {
  sweep_planned_ = false;
  if (phase_ == worker_phase::flushing || phase_ == worker_phase::exited) return;
  const auto have = [this] { return std::tuple{untaken_.size(), held_.size(), unleased_.size()}; };
  const auto before = have();
  look_at_ledger();
  if (have() != before) return plan_sweep();
  parts_.link->ask_for_room();
  look_at_ledger();
}

// ---- health

/// On whole seconds, like the workers' own beats: all proxies in one wake-up, and the machine is
/// awake then.
void worker_proxy::plan_look() {
  const auto now = self_->clock().now().time_since_epoch();
  constexpr auto period = std::chrono::duration_cast<monotonic_duration>(limits::health_look);
  port::mail(self_, health_look_due{})
      .at(monotonic_time{(now / period + 1) * period})
      .send(caf::actor_cast<caf::actor>(self_));
}

void worker_proxy::look_at_health() {
  if (phase_ != worker_phase::ready && phase_ != worker_phase::draining) return;
  last_ = parts_.link->progress();
  const auto verdict = watch_->look({last_.health.beats, last_.health.rss_bytes, last_.served},
                                    self_->clock().now());
  switch (verdict.what) {
  case health_verdict::hung:
    hung_ = true;
    if (reason_.empty()) reason_ = verdict.reason;
    return handle(worker_event::hung);
  case health_verdict::exhausted:
    retire(ending::well, verdict.reason);
    return plan_look();
  case health_verdict::well:
    return plan_look();
  }
}

void worker_proxy::retire(ending::kind how, std::string why) {
  if (phase_ != worker_phase::ready) return; // one that drains ends anyhow
  last_ = parts_.link->progress();
  port::mail(self_,
             child_retires{
                 parts_.name,
                 parts_.supervised_as,
                 {.how = how, .reason = std::move(why), .progress = last_.served > 0, .pid = pid_}})
      .send(parts_.supervisor);
}

// ---- beginning and end

void worker_proxy::give_datagrams() {
  if (!parts_.pool || parts_.pool->ending) return;
  std::span<const datagram_endpoint> left{parts_.pool->datagrams};
  while (!left.empty()) {
    const auto n = std::min(left.size(), limits::control_fds);
    parts_.link->give_datagrams(left.first(n)); // if the channel is gone, its event is on the way
    left = left.subspan(n);
  }
}

void worker_proxy::announce() {
  give_datagrams();
  was_ready_ = true;
  if (parts_.health.any()) {
    watch_.emplace(parts_.health, parts_.draw, self_->clock().now());
    plan_look();
  }
  port::mail(self_, child_ready{parts_.name, parts_.supervised_as, pid_}).send(parts_.supervisor);
  takes_messages_ = true;
  tell_mailbox(process_news::kind::ready);
  offer_credit();
}

void worker_proxy::hand_on() {
  tell_dispatcher(
      worker_leaving{parts_.key}); // before anything comes back: it must not return here
  for (const auto& event : parts_.link->read_to_end()) // flushing: no event changes the phase now
    on_link(event);
  tell_mailbox(process_news::kind::gone);
  look_at_ledger();
  untaken_.settle_dead(last_, [this](offered_connection taken) { hold(std::move(taken)); });
  take_returns();
  unleased_.clear(); // their peers see the end now
  port::mail(self_, child_ended{parts_.name, parts_.supervised_as, how_it_ended()})
      .send(parts_.supervisor);
  if (auto left = recover_all(); !left.empty()) {
    parts_.log->info("{}: {} connections go on in others", parts_.name, left.size());
    send_back(std::move(left));
  }
  take_leave();
}

// The dispatcher may still be sending to this actor: it ends only when it is forgotten there.
void worker_proxy::take_leave() {
  if (!tell_dispatcher(worker_gone{parts_.key, caf::actor_cast<caf::actor>(self_)}))
    handle(worker_event::forgotten);
}

ending worker_proxy::how_it_ended() const {
  if (!status_) return {.how = ending::start_failed, .reason = start_failure_};
  const bool well = asked_to_end_ || (status_->well() && reason_.empty());
  return {
      .how = well ? ending::well : ending::abnormal,
      .reason =
          reason_.empty() ? status_->text() : fmt::format("{} ({})", reason_, status_->text()),
      .progress = was_ready_ && last_.served > 0,
      .pid = pid_,
  };
}

template <class Message>
bool worker_proxy::tell_dispatcher(Message message) {
  if (!parts_.pool) return false;
  const auto to = caf::actor_cast<caf::actor>(parts_.pool->dispatcher);
  if (!to) return false;
  port::mail(self_, std::move(message)).send(to);
  return true;
}

} // namespace coppice
