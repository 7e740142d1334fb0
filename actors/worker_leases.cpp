// worker_proxy: the connections that its worker has borrowed.
#include <coppice/actors/worker_proxy.hpp>

#include <algorithm>
#include <csignal>
#include <fmt/format.h>
#include <utility>

namespace coppice {

bool worker_proxy::lend(accepted_socket& from, offered_connection& offer) {
  offer.socket = std::move(from.socket);
  if (std::min(parts_.level, parts_.pool->most_of(from.listener)) == protection::none) return true;
  offer.lease = held_.allot();
  if (offer.lease == 0) {
    if (!std::exchange(all_lent_, true))
      parts_.log->warn("{}: all of its {} leases are in use; further connections are not protected",
                       parts_.name, limits::lease_slots);
    if (!from.carried) return true;
    parts_.log->warn("{}: a connection is cut off: no lease is free for it", parts_.name);
    return false;
  }
  if (!from.carried) return true;
  offer.history = from.carried->history;
  offer.crashes = from.carried->crashes;
  const auto done = parts_.link->put_lease(offer.lease - 1, offer.id, *from.carried);
  if (done) return true;
  parts_.log->error("{}: a connection is cut off: {}", parts_.name, done.error().message());
  held_.vacate(offer.lease);
  return false;
}

void worker_proxy::hold(offered_connection taken) {
  if (taken.lease != 0) return held_.hold(std::move(taken));
  // Our copy is closed: its worker's death will be its own.
  if (parts_.pool->limited())
    unleased_.push_back(std::move(taken.seat));
  else
    ++closed_;
}

/// Connections without a lease that are over. Which ones, nobody need know.
void worker_proxy::take_ended() {
  const auto fresh = last_.ended > ended_ ? last_.ended - ended_ : 0;
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(fresh, unleased_.size()));
  unleased_.resize(unleased_.size() - n);
  ended_ += n;
  closed_ += n;
}

/// What the worker has returned, except for what the ledger does not call taken yet.
void worker_proxy::take_returns() {
  std::vector<accepted_socket> alive;
  std::vector<std::uint32_t> early;
  for (const std::uint32_t entry : early_returns_) {
    auto returned = held_.release(slot_of(entry));
    if (!returned) {
      if (early.size() < limits::worker_credit) early.push_back(entry); // more is nonsense
      continue;
    }
    ++closed_;
    if (returned_alive(entry)) {
      recover(std::move(*returned), std::min(parts_.level, last_.movable), blame::none, alive);
    }
  }
  early_returns_ = std::move(early);
  send_back(std::move(alive));
}

/// What a dead worker has left behind: what it had taken first, as those clients wait longest.
std::vector<accepted_socket> worker_proxy::recover_all() {
  const auto level = std::min(parts_.level, last_.movable);
  const std::uint32_t running = parts_.link->running_lease();
  // A death that was asked for is nobody's fault; a hang is that of whoever was running, however
  // it had to be ended.
  const bool killed = status_ && status_->how == os::exit_status::kind::signaled &&
                      status_->code_or_signal == SIGKILL;
  const auto whose = hung_           ? blame::crash
                     : asked_to_end_ ? blame::none
                     : killed        ? blame::kill
                                     : blame::crash;
  // What goes on behind an asynchronous handler is on nobody's account, unless the worker has said
  // why it ends.
  const bool unexplained = whose == blame::crash && running == 0 && reason_.empty();
  const auto others = unexplained ? blame::suspect : blame::none;
  std::vector<accepted_socket> left;
  for (auto& c : held_.take_all()) {
    const bool blamed = c.lease == running;
    recover(std::move(c), level, blamed ? whose : others, left);
  }
  for (auto& c : untaken_.take_all()) {
    if (c.lease == 0)
      left.push_back({c.listener, std::move(c.socket), nullptr, c.affinity, std::move(c.seat)});
    else // it was never looked at, so what its service can stand does not matter
      recover(std::move(c), parts_.level, blame::none, left);
  }
  return left;
}

void worker_proxy::recover(offered_connection connection, protection level, blame whose,
                           std::vector<accepted_socket>& into) {
  auto found = parts_.link->recover_lease(connection, level, whose);
  if (found.carried) remember_crash(connection, whose, *found.carried);
  if (found.goes_on) {
    into.push_back({connection.listener, std::move(connection.socket), std::move(found.carried),
                    connection.affinity, std::move(connection.seat)});
  } else if (*found.why_reset != '\0') {
    parts_.log->warn("{}: a connection is cut off: {}", parts_.name, found.why_reset);
  }
}

void worker_proxy::remember_crash(offered_connection& connection, blame whose,
                                  carried_lease& into) {
  const bool same = into.history.in_off == connection.history.in_off;
  if (same) into.crashes = std::move(connection.crashes);
  const bool counted = into.history.crashes > (same ? connection.history.crashes : 0);
  if (whose != blame::crash || !counted) return;
  into.crashes.push_back(fmt::format("{} (incarnation {}, pid {}): {}", parts_.name,
                                     parts_.key.incarnation, pid_, how_it_ended().reason));
  if (into.history.crashes == limits::poison_crashes) report_poison(into);
}

void worker_proxy::report_poison(const carried_lease& lease) {
  const auto what = first_line(lease.input);
  const auto kept =
      parts_.reports ? parts_.reports->write({parts_.pool->name, std::chrono::system_clock::now(),
                                              lease.crashes, lease.input})
                     : result<std::string>{};
  if (!kept)
    parts_.log->error("{}: a crash report is not kept: {}", parts_.pool->name,
                      kept.error().message());
  parts_.log->error("{}: workers crash over a request, which is refused from now on: {}{}",
                    parts_.pool->name, what,
                    kept && !kept->empty() ? "; see " + *kept : std::string{});
}

} // namespace coppice
