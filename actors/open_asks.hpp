#pragma once
// The asks that one slot has been given and has not answered: whom to tell when its process dies,
// and which answers are ones that somebody waits for. Pure.

#include <coppice/runtime/limits.hpp>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace coppice {

/// Who asked, and the ask's number; its upper half is the asker's incarnation.
struct ask_key {
  std::uint64_t asker = 0;
  std::uint64_t number = 0;
  auto operator<=>(const ask_key&) const = default;
};

class open_asks {
public:
  /// Given to this incarnation of the slot. False: limits::open_asks of them are open already.
  [[nodiscard]] bool open(ask_key ask, std::uint64_t given_to) {
    if (given_to_.size() >= limits::open_asks) return false;
    given_to_.insert_or_assign(ask, given_to);
    return true;
  }
  /// Answered. False: it is not open, or another incarnation has it.
  [[nodiscard]] bool close(ask_key ask, std::uint64_t answered_by) {
    const auto found = given_to_.find(ask);
    if (found == given_to_.end() || found->second != answered_by) return false;
    given_to_.erase(found);
    return true;
  }
  /// Those that this incarnation leaves behind.
  [[nodiscard]] std::vector<ask_key> abandon(std::uint64_t incarnation) {
    std::vector<ask_key> left;
    for (auto it = given_to_.begin(); it != given_to_.end();) {
      if (it->second != incarnation) {
        ++it;
        continue;
      }
      left.push_back(it->first);
      it = given_to_.erase(it);
    }
    return left;
  }
  void drop(ask_key ask) { given_to_.erase(ask); }
  /// Asks of an asker's process that is no more.
  void forget(std::uint64_t asker, std::uint32_t incarnation) {
    const auto first = given_to_.lower_bound({asker, std::uint64_t{incarnation} << 32U});
    const auto last =
        given_to_.upper_bound({asker, (std::uint64_t{incarnation} << 32U) | UINT32_MAX});
    given_to_.erase(first, last);
  }
  [[nodiscard]] std::size_t size() const noexcept { return given_to_.size(); }

private:
  std::map<ask_key, std::uint64_t> given_to_;
};

} // namespace coppice
