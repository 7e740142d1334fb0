#pragma once
// Which worker gets the next connection: of those that are ready and have credit, the one that the
// pool's policy chooses. Pure. One worker is one incarnation: a replacement enters as a new one.

#include <coppice/actors/balancer.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace coppice {

/// Names an incarnation of a slot within its pool.
struct worker_key {
  std::uint64_t slot = 0;
  std::uint64_t incarnation = 0;
  friend bool operator==(const worker_key&, const worker_key&) = default;
};

class dispatch_table {
public:
  explicit dispatch_table(std::shared_ptr<balancer> policy = make_balancer())
      : policy_{std::move(policy)} {}

  /// A ready worker with room for `credit` handoffs, which has `open` connections. The same key
  /// again replaces what was known.
  void add(worker_key worker, std::size_t credit, std::size_t open = 0);
  /// It gets nothing more. True if it was known.
  bool remove(worker_key worker);
  /// It has taken `n` handoffs, and `closed` of its connections are its no more. Ignored for a
  /// worker that is not known: the message was late.
  void restore(worker_key worker, std::size_t n, std::size_t closed = 0);
  /// The policy's choice, one credit of which is spent; nobody if all are full or none is ready.
  [[nodiscard]] std::optional<worker_key> pick(const newcomer& who = {});

  [[nodiscard]] std::size_t workers() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t credit() const noexcept { return credit_; }

private:
  [[nodiscard]] std::vector<worker_load>::iterator find(worker_key worker);

  std::shared_ptr<balancer> policy_;
  std::vector<worker_load> entries_; ///< in the order of their slots
  std::size_t credit_ = 0;           ///< sum over all entries
};

} // namespace coppice
