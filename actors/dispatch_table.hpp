#pragma once
// Which worker gets the next connection: round robin over the workers that are ready and have
// credit. Pure. One worker is one incarnation: a replacement enters as a new one.

#include <cstddef>
#include <cstdint>
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
  /// A ready worker with room for `credit` handoffs. The same key again replaces what was known.
  void add(worker_key worker, std::size_t credit);
  /// It gets nothing more. True if it was known.
  bool remove(worker_key worker);
  /// It has taken `n` handoffs. Ignored for a worker that is not known: the message was late.
  void restore(worker_key worker, std::size_t n);
  /// The next in turn with credit, one of which is spent; nobody if all are full or none is ready.
  [[nodiscard]] std::optional<worker_key> pick();

  [[nodiscard]] std::size_t workers() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t credit() const noexcept { return credit_; }

private:
  struct entry {
    worker_key worker;
    std::size_t credit;
  };
  [[nodiscard]] std::vector<entry>::iterator find(worker_key worker);

  std::vector<entry>
      entries_; ///< ordered by slot, so that turns do not depend on who came back when
  std::uint64_t last_slot_ =
      0;                   ///< who had the last turn: the next one is the first with a greater slot
  std::size_t credit_ = 0; ///< sum over all entries
};

} // namespace coppice
