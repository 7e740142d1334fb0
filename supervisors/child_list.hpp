#pragma once
// The children of one supervisor: in start order, found by key or by id. A container; only
// `supervision` changes it. References stay good until that child is erased. Pure.

#include <coppice/supervisors/child_key.hpp>
#include <coppice/supervisors/supervised_child.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <ranges>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace coppice {

class child_list {
public:
  child_list() = default;
  child_list(const child_list&) = delete;
  child_list& operator=(const child_list&) = delete;

  /// At the end of the start order. Its id must be new.
  supervised_child& add(child_spec spec, restart_limit limit) {
    const child_key key = next_++;
    supervised_child& added = by_key_.try_emplace(key, key, std::move(spec), limit).first->second;
    by_id_.emplace(added.spec.id, key);
    return added;
  }
  void erase(child_key key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    by_id_.erase(found->second.spec.id);
    by_key_.erase(found);
  }

  [[nodiscard]] std::size_t size() const noexcept { return by_key_.size(); }
  /// Null if there is none, or no longer.
  [[nodiscard]] supervised_child* find(child_key key) {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] const supervised_child* find(child_key key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : &found->second;
  }
  /// There must be one.
  [[nodiscard]] const supervised_child& operator[](child_key key) const { return by_key_.at(key); }
  [[nodiscard]] std::optional<child_key> key_of(std::string_view id) const {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return std::nullopt;
    return found->second;
  }

  // Ranges of children, in start order.
  [[nodiscard]] auto all() { return std::views::values(by_key_); }
  [[nodiscard]] auto begin() const { return std::views::values(by_key_).begin(); }
  [[nodiscard]] auto end() const { return std::views::values(by_key_).end(); }
  /// The one with this key, and those that start after it.
  [[nodiscard]] auto from(child_key first) {
    return std::ranges::subrange{by_key_.lower_bound(first), by_key_.end()} | std::views::values;
  }

private:
  std::map<child_key, supervised_child> by_key_;
  std::unordered_map<std::string_view, child_key> by_id_; // views of the ids in by_key_
  child_key next_ = 0;
};

} // namespace coppice
