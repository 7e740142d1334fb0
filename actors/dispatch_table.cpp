#include <algorithm>
#include <coppice/actors/dispatch_table.hpp>

namespace coppice {

std::vector<worker_load>::iterator dispatch_table::find(worker_key worker) {
  return std::find_if(entries_.begin(), entries_.end(), [&](const worker_load& e) {
    return e.slot == worker.slot && e.incarnation == worker.incarnation;
  });
}

void dispatch_table::add(worker_key worker, std::size_t credit, std::size_t open) {
  remove(worker);
  const auto at =
      std::upper_bound(entries_.begin(), entries_.end(), worker.slot,
                       [](std::uint64_t slot, const worker_load& e) { return slot < e.slot; });
  entries_.insert(at, worker_load{worker.slot, worker.incarnation, credit, open});
  credit_ += credit;
}

bool dispatch_table::remove(worker_key worker) {
  const auto it = find(worker);
  if (it == entries_.end()) return false;
  credit_ -= it->credit;
  entries_.erase(it);
  return true;
}

void dispatch_table::restore(worker_key worker, std::size_t n, std::size_t closed) {
  const auto it = find(worker);
  if (it == entries_.end()) return;
  it->credit += n;
  it->open -= std::min(it->open, closed);
  credit_ += n;
}

std::optional<worker_key> dispatch_table::pick(const newcomer& who) {
  if (credit_ == 0) return std::nullopt;
  worker_load& chosen = entries_[policy_->choose(entries_, who)];
  --chosen.credit;
  ++chosen.open;
  --credit_;
  return worker_key{chosen.slot, chosen.incarnation};
}

} // namespace coppice
