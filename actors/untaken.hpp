#pragma once
// The connections that one incarnation has been sent and has not taken, in the order sent. Pure
// bookkeeping over what the worker's ledger and its handed_back frames say; the sockets here are
// the primary's copies.

#include <algorithm>
#include <coppice/runtime/link/worker_link.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace coppice {

class untaken {
public:
  /// Sent just now.
  void add(offered_connection connection) { offers_.push_back(std::move(connection)); }

  /// The ledger's counters. Gives what has been taken to `taken`, in order, and says how many that
  /// were.
  ///
  /// The worker counts a refusal *before* it takes anything later, and its frame may still be on
  /// the way: until as many have been named as counted, nobody knows which one is missing from the
  /// order, and nothing is closed.
  template <class Sink>
  std::size_t settle(const link_progress& now, Sink taken) {
    if (now.handed_back > named_) return 0;
    const std::uint64_t fresh = now.taken > taken_ ? now.taken - taken_ : 0;
    const auto n = std::min<std::size_t>(static_cast<std::size_t>(fresh), offers_.size());
    for (std::size_t i = 0; i < n; ++i) taken(std::move(offers_[i]));
    offers_.erase(offers_.begin(), offers_.begin() + static_cast<std::ptrdiff_t>(n));
    taken_ += n;
    return n;
  }

  /// The same for a worker that is dead: a refusal it counted and never named was its last act, so
  /// the order holds.
  template <class Sink>
  std::size_t settle_dead(link_progress last, Sink taken) {
    last.handed_back = 0;
    return settle(last, std::move(taken));
  }

  /// The worker refused these. Ids that were never offered, or are taken, are nobody's.
  [[nodiscard]] std::vector<offered_connection> take_back(std::span<const std::uint64_t> ids) {
    std::vector<offered_connection> back;
    for (const std::uint64_t id : ids) {
      ++named_;
      const auto it = std::find_if(offers_.begin(), offers_.end(),
                                   [&](const offered_connection& c) { return c.id == id; });
      if (it == offers_.end()) continue;
      back.push_back(std::move(*it));
      offers_.erase(it);
    }
    return back;
  }

  /// Everything that is left, for another worker.
  [[nodiscard]] std::vector<offered_connection> take_all() {
    std::vector<offered_connection> all(std::make_move_iterator(offers_.begin()),
                                        std::make_move_iterator(offers_.end()));
    offers_.clear();
    return all;
  }

  [[nodiscard]] std::size_t size() const noexcept { return offers_.size(); }
  [[nodiscard]] bool empty() const noexcept { return offers_.empty(); }

private:
  std::deque<offered_connection> offers_;
  std::uint64_t taken_ = 0; ///< closed here because the ledger said so
  std::uint64_t named_ = 0; ///< told back by frames
};

} // namespace coppice
