#include <algorithm>
#include <coppice/actors/dispatcher.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/net/socket_address.hpp>
#include <utility>

namespace coppice {

dispatcher::dispatcher(caf::event_based_actor* self, dispatcher_parts parts)
    : self_{self},
      parts_{std::move(parts)},
      table_{parts_.pool->policy} {
  // A dispatcher that was restarted knows nobody: those who live introduce themselves again.
  const auto myself = caf::actor_cast<caf::actor>(self_);
  parts_.pool->dispatcher = caf::actor_cast<caf::actor_addr>(myself);
  for (const auto& address : parts_.pool->proxies)
    if (auto proxy = caf::actor_cast<caf::actor>(address))
      port::mail(self_, introduce_yourself{}).send(proxy);
  parts_.pool->room = parts_.pool->passing = 0;
  if (parts_.pool->seats)
    parts_.pool->seats->tell(
        [deliver = parts_.deliver_seat, to = caf::actor_cast<caf::actor_addr>(self_)] {
          deliver(to, seat_free{});
        });
  if (!parts_.bytes) return;
  heads_.emplace(*parts_.bytes, parts_.sticky_by);
  parts_.bytes->tell(
      [deliver = parts_.deliver, to = caf::actor_cast<caf::actor_addr>(self_)](
          std::vector<first_bytes_news> news) { deliver(to, first_bytes_came{std::move(news)}); });
}

dispatcher::~dispatcher() {
  if (const auto left = waiting_.size() + (heads_ ? heads_->size() : 0); left > 0)
    parts_.log->warn("pool {}: {} connections that no worker took are closed", parts_.pool->name,
                     left);
  if (parts_.bytes) parts_.bytes->tell(nullptr);
  if (parts_.pool->seats) parts_.pool->seats->tell(nullptr);
  // Nobody answers worker_gone any more, so nobody may wait for that answer.
  parts_.pool->dispatcher = nullptr;
  for (const auto& address : parts_.pool->proxies)
    port::anon_mail(worker_forgotten{}).send(caf::actor_cast<caf::actor>(address));
}

caf::behavior dispatcher::make_behavior() {
  return {
      [this](const accepted_connections& m) {
        take(m.listener, m.sockets.take().value_or(std::vector<os::unique_fd>{}));
        distribute();
        steer_listeners();
      },
      [this](const worker_up& m) {
        table_.add(m.worker, m.credit, m.open);
        proxies_[m.worker.slot] = {m.worker, m.proxy};
        parked_ = false;
        distribute();
        steer_listeners();
      },
      [this](const credit_restored& m) {
        table_.restore(m.worker, m.credit, m.closed);
        distribute();
        steer_listeners();
      },
      [this](const parking_over& m) {
        if (parked_ && m.wait == waits_) give_up_parked();
        steer_listeners();
      },
      [this](const worker_leaving& m) {
        table_.remove(m.worker);
        steer_listeners();
      },
      [this](const connections_returned& m) {
        // They have waited longest: in front, in their order.
        auto back = m.connections.take().value_or(std::vector<accepted_socket>{});
        for (auto it = back.rbegin(); it != back.rend(); ++it) waiting_.push_front(std::move(*it));
        distribute();
        watch_parked();
        steer_listeners();
      },
      [this](const worker_gone& m) {
        table_.remove(m.worker);
        if (const auto it = proxies_.find(m.worker.slot);
            it != proxies_.end() && it->second.first == m.worker)
          proxies_.erase(it);
        port::mail(self_, worker_forgotten{}).send(m.proxy);
        steer_listeners();
      },
      [this](const seat_free&) { steer_listeners(); },
      [this](const listener_up& m) {
        if (accepting_)
          port::mail(self_, start_accepting{caf::actor_cast<caf::actor>(self_)}).send(m.listener);
      },
      [this](const first_bytes_came& m) {
        heads_->on_news(m.news, waiting_);
        distribute();
        steer_listeners();
      },
      [this](const first_bytes_overdue& m) {
        overdue_planned_ = false;
        heads_->give_out_before(m.mark, waiting_);
        distribute();
        plan_overdue();
        steer_listeners();
      },
      [this](const everything_passed& m) {
        if (heads_) heads_->give_out_all(waiting_);
        distribute();
        port::mail(self_, accepting_ended{}).send(m.reply_to);
      },
  };
}

void dispatcher::take(std::uint32_t listener, std::vector<os::unique_fd> sockets) {
  auto& pool = *parts_.pool;
  pool.passing -= std::min(pool.passing, sockets.size());
  for (auto& socket : sockets) {
    accepted_socket connection{listener, std::move(socket)};
    if (pool.seats) connection.seat = pool.seats->take();
    if (heads_)
      heads_->add(std::move(connection), waiting_);
    else
      waiting_.push_back(std::move(connection));
  }
  plan_overdue();
}

// One timer for all: a connection waits for one to two halves of the time.
void dispatcher::plan_overdue() {
  if (overdue_planned_ || !heads_ || heads_->size() == 0) return;
  overdue_planned_ = true;
  port::mail(self_, first_bytes_overdue{heads_->mark()})
      .delay(limits::first_bytes_wait / 2)
      .send(caf::actor_cast<caf::actor>(self_));
}

worker_key dispatcher::choose(accepted_socket& connection) {
  newcomer who{.listener = connection.listener,
               .returned = connection.carried != nullptr,
               .affinity = connection.affinity};
  const auto trait = parts_.pool->policy->trait();
  if (trait == client_trait::address) {
    const auto address = peer_host(connection.socket.get()).value_or("");
    who.address = address;
    return *table_.pick(who);
  }
  if (trait == client_trait::affinity_by_address && who.affinity == 0) {
    const auto address = peer_host(connection.socket.get());
    if (address) who.affinity = connection.affinity = affinity_of(*address);
  }
  return *table_.pick(who);
}

void dispatcher::distribute() {
  while (!waiting_.empty() && table_.credit() > 0) {
    if (waiting_.size() == 1) { // the usual case under real load: no sorting by worker
      const auto worker = choose(waiting_.front());
      std::vector<accepted_socket> one;
      one.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      port::mail(self_, handoff{std::move(one)}).send(proxies_[worker.slot].second);
      return;
    }
    std::unordered_map<std::uint64_t, std::vector<accepted_socket>> shares;
    while (!waiting_.empty() && table_.credit() > 0) {
      const auto worker = choose(waiting_.front());
      shares[worker.slot].push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    for (auto& [slot, share] : shares)
      port::mail(self_, handoff{std::move(share)}).send(proxies_[slot].second);
  }
}

void dispatcher::watch_parked() {
  if (waiting_.size() > limits::max_parked) {
    parts_.log->error("pool {}: {} connections are cut off: too many wait for a worker",
                      parts_.pool->name, waiting_.size() - limits::max_parked);
    waiting_.resize(limits::max_parked);
  }
  if (waiting_.empty() || table_.workers() > 0 || parked_) return;
  parked_ = true;
  port::mail(self_, parking_over{++waits_})
      .delay(limits::park_timeout)
      .send(caf::actor_cast<caf::actor>(self_));
}

// A client that has sent a request and is told nothing hangs; one that is cut off can try again.
void dispatcher::give_up_parked() {
  parked_ = false;
  const std::size_t before = waiting_.size();
  std::erase_if(waiting_, [](const accepted_socket& c) { return c.carried != nullptr; });
  if (waiting_.size() < before)
    parts_.log->error("pool {}: {} connections are cut off: no worker was ready for {} s",
                      parts_.pool->name, before - waiting_.size(), limits::park_timeout.count());
}

std::size_t dispatcher::room() const {
  const std::size_t here = waiting_.size() + (heads_ ? heads_->size() : 0);
  const std::size_t room = table_.credit() - std::min(table_.credit(), here);
  return parts_.pool->seats ? std::min(room, parts_.pool->seats->left()) : room;
}

void dispatcher::steer_listeners() {
  // Room for one more batch must be left: a listener may be in the middle of one.
  if (parts_.pool->limited()) parts_.pool->room = room();
  const bool open = table_.credit() > 0 &&
                    waiting_.size() + limits::accept_batch <= limits::waiting_connections &&
                    parts_.pool->acceptable() > 0;
  const bool again = open && std::exchange(parts_.pool->full, false);
  if (open == accepting_ && !again) return;
  accepting_ = open;
  for (const auto& address : parts_.pool->listeners) {
    const auto to = caf::actor_cast<caf::actor>(address);
    if (!to) continue;
    if (open)
      port::mail(self_, start_accepting{caf::actor_cast<caf::actor>(self_)}).send(to);
    else
      port::mail(self_, stop_accepting{}).send(to);
  }
}

} // namespace coppice
