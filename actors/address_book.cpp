#include <coppice/actors/address_book.hpp>
#include <coppice/runtime/limits.hpp>

#include <algorithm>
#include <utility>

namespace coppice {

namespace {

constexpr std::string_view topic_prefix = "topic:";
constexpr std::string_view all_suffix = "/*";

} // namespace

void address_book::move_in(resident who) {
  move_out(who.id);
  names_.insert_or_assign(who.name, who.id);
  if (!who.group.empty()) {
    auto& members = groups_[who.group].members;
    members.insert(std::ranges::upper_bound(members, who.id), who.id);
  }
  residents_.emplace(who.id, std::move(who));
}

void address_book::move_out(std::uint64_t id) {
  const auto found = residents_.find(id);
  if (found == residents_.end()) return;
  names_.erase(found->second.name);
  if (const auto its = groups_.find(found->second.group); its != groups_.end()) {
    std::erase(its->second.members, id);
    if (its->second.members.empty()) groups_.erase(its);
  }
  for (auto topic = topics_.begin(); topic != topics_.end();) {
    std::erase(topic->second, id);
    topic = topic->second.empty() ? topics_.erase(topic) : std::next(topic);
  }
  residents_.erase(found);
}

resident* address_book::find(std::uint64_t id) {
  const auto found = residents_.find(id);
  return found == residents_.end() ? nullptr : &found->second;
}

void address_book::resolve(const wire::address& to, std::uint64_t sender,
                           std::vector<resident*>& into) {
  if (!to.is_name()) {
    if (auto* one = find(to.id)) into.push_back(one);
    return;
  }
  if (to.name == "*") {
    for (auto& [id, one] : residents_)
      if (id != sender && id != 0) into.push_back(&one);
    return;
  }
  if (to.name.starts_with(topic_prefix)) {
    const auto topic = topics_.find(to.name.substr(topic_prefix.size()));
    if (topic != topics_.end()) add_members(topic->second, into);
    return;
  }
  if (to.name.ends_with(all_suffix)) {
    const auto its = groups_.find(to.name.substr(0, to.name.size() - all_suffix.size()));
    if (its != groups_.end()) add_members(its->second.members, into);
    return;
  }
  if (const auto name = names_.find(to.name); name != names_.end())
    return into.push_back(find(name->second));
  if (const auto its = groups_.find(to.name); its != groups_.end())
    into.push_back(take_turn(its->second));
}

void address_book::add_members(const std::vector<std::uint64_t>& ids,
                               std::vector<resident*>& into) {
  for (const auto id : ids) into.push_back(find(id));
}

resident* address_book::take_turn(group& of) {
  const auto count = of.members.size();
  resident* best = nullptr;
  const auto rank = [](const resident& r) { return r.ready ? (r.full ? 1 : 2) : 0; };
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto index = (of.next + i) % count;
    auto* one = find(of.members[index]);
    if (best != nullptr && rank(*one) <= rank(*best)) continue;
    best = one;
    at = index;
    if (rank(*best) == 2) break;
  }
  of.next = (at + 1) % count;
  return best;
}

bool address_book::subscribe(std::uint64_t id, std::string_view topic) {
  auto found = topics_.find(topic);
  if (found == topics_.end()) {
    if (topics_.size() >= limits::topics) return false;
    found = topics_.emplace(topic, std::vector<std::uint64_t>{}).first;
  }
  auto& subscribers = found->second;
  if (std::ranges::find(subscribers, id) == subscribers.end()) subscribers.push_back(id);
  return true;
}

void address_book::unsubscribe(std::uint64_t id, std::string_view topic) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return;
  std::erase(found->second, id);
  if (found->second.empty()) topics_.erase(found);
}

void address_book::forget_ask(ask_key ask) {
  for (auto& [id, one] : residents_) one.asks->drop(ask);
}

void address_book::forget_asker(std::uint64_t id, std::uint32_t incarnation) {
  for (auto& [other, one] : residents_) one.asks->forget(id, incarnation);
}

} // namespace coppice
