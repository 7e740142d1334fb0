#include <algorithm>
#include <coppice/actors/dispatch_table.hpp>

namespace coppice {

std::vector<dispatch_table::entry>::iterator dispatch_table::find(worker_key worker) {
  return std::find_if(entries_.begin(), entries_.end(),
                      [&](const entry& e) { return e.worker == worker; });
}

void dispatch_table::add(worker_key worker, std::size_t credit) {
  remove(worker);
  const auto at =
      std::upper_bound(entries_.begin(), entries_.end(), worker.slot,
                       [](std::uint64_t slot, const entry& e) { return slot < e.worker.slot; });
  entries_.insert(at, entry{worker, credit});
  credit_ += credit;
}

bool dispatch_table::remove(worker_key worker) {
  const auto it = find(worker);
  if (it == entries_.end()) return false;
  credit_ -= it->credit;
  entries_.erase(it);
  return true;
}

void dispatch_table::restore(worker_key worker, std::size_t n) {
  const auto it = find(worker);
  if (it == entries_.end()) return;
  it->credit += n;
  credit_ += n;
}

std::optional<worker_key> dispatch_table::pick() {
  if (credit_ == 0) return std::nullopt;
  auto it = std::find_if(entries_.begin(), entries_.end(),
                         [&](const entry& e) { return e.worker.slot > last_slot_; });
  for (std::size_t tried = 0; tried <= entries_.size(); ++tried) {
    if (it == entries_.end()) it = entries_.begin();
    if (it->credit > 0) {
      --it->credit;
      --credit_;
      last_slot_ = it->worker.slot;
      return it->worker;
    }
    ++it;
  }
  return std::nullopt;
}

} // namespace coppice
