#pragma once
// What a slot's mailbox knows: which processes of the slot there are and what each may be given,
// and the messages that wait for one. Pure; the actor around it is slot_mailbox.
//
// A process of the slot, by its incarnation:
//   starting, leaving   gets answers to what it has asked, nothing else
//   ready               gets everything; of two, the younger one
//
// Messages wait, up to limits::mail_messages and mail_bytes, while no process is ready, and go out
// first when there is one: a restart loses none of them and changes no order.

#include <coppice/actors/mail.hpp>
#include <coppice/runtime/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace coppice {

class mailbox {
public:
  enum class stage { starting, ready, leaving };

  void open(std::uint64_t incarnation) { processes_[incarnation] = stage::starting; }
  void enter(std::uint64_t incarnation, stage now) {
    const auto found = processes_.find(incarnation);
    if (found != processes_.end()) found->second = now;
  }
  void close(std::uint64_t incarnation) { processes_.erase(incarnation); }

  /// Who gets messages; 0: nobody.
  [[nodiscard]] std::uint64_t taker() const noexcept {
    for (auto it = processes_.rbegin(); it != processes_.rend(); ++it)
      if (it->second == stage::ready) return it->first;
    return 0;
  }
  /// Who gets an answer to this incarnation, of which 32 bits are told; 0: it is no more.
  [[nodiscard]] std::uint64_t asker(std::uint32_t incarnation) const noexcept {
    for (const auto& [number, now] : processes_)
      if (static_cast<std::uint32_t>(number) == incarnation) return number;
    return 0;
  }

  /// False: there is no room for all of it.
  [[nodiscard]] bool keep(const mail_run& run) {
    if (messages_ + run.messages > limits::mail_messages ||
        bytes_ + run.bytes.size() > limits::mail_bytes)
      return false;
    messages_ += run.messages;
    bytes_ += run.bytes.size();
    // Of its own: the rest of what was read with it may be large, and is not counted here.
    auto own = std::make_shared<const std::vector<std::byte>>(run.bytes.begin(), run.bytes.end());
    waiting_.push_back(run);
    waiting_.back().bytes = *own;
    waiting_.back().memory = std::move(own);
    return true;
  }
  /// In the order in which they came.
  [[nodiscard]] std::vector<mail_run> take_all() {
    messages_ = bytes_ = 0;
    return std::exchange(waiting_, {});
  }
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
  /// More than half of what may wait does.
  [[nodiscard]] bool crowded() const noexcept {
    return messages_ > limits::mail_messages / 2 || bytes_ > limits::mail_bytes / 2;
  }

private:
  std::map<std::uint64_t, stage> processes_;
  std::vector<mail_run> waiting_;
  std::size_t messages_ = 0;
  std::size_t bytes_ = 0;
};

} // namespace coppice
