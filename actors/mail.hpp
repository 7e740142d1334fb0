#pragma once
// Messages on their way through the primary: whole frames, as the sender's process wrote them, in
// memory that all on their way share. Nothing is copied but what has to be changed. Pure.

#include <coppice/runtime/wire/envelope.hpp>
#include <coppice/runtime/wire/frame.hpp>
#include <coppice/runtime/wire/meta.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace coppice {

using shared_bytes = std::shared_ptr<const std::vector<std::byte>>;

/// Frames of one sender that follow each other.
struct mail_run {
  shared_bytes memory;              ///< keeps `bytes`
  std::span<const std::byte> bytes; ///< whole frames, prefixes included
  std::size_t messages = 0;
  std::uint64_t sender = 0;
  std::uint32_t only_for = 0;        ///< answers are for this incarnation; 0: for any
  std::vector<std::uint64_t> asks{}; ///< the numbers of those that are asks
};

/// For one destination, in the order in which they go out.
class mail {
public:
  /// One more frame. What stands right behind the last one becomes one run with it.
  void add(const mail_run& frame) {
    if (!runs_.empty() && continues(runs_.back(), frame)) {
      auto& run = runs_.back();
      run.bytes = {run.bytes.data(), run.bytes.size() + frame.bytes.size()};
      run.messages += frame.messages;
      run.asks.insert(run.asks.end(), frame.asks.begin(), frame.asks.end());
    } else {
      runs_.push_back(frame);
    }
  }
  [[nodiscard]] std::vector<mail_run>& runs() noexcept { return runs_; }
  [[nodiscard]] bool empty() const noexcept { return runs_.empty(); }

private:
  static bool continues(const mail_run& run, const mail_run& next) {
    return run.memory == next.memory && run.sender == next.sender &&
           run.only_for == next.only_for &&
           run.bytes.data() + run.bytes.size() == next.bytes.data();
  }

  std::vector<mail_run> runs_;
};

/// Calls `each(frame, head, meta)` for every message of a run, the frame being a run of one. What
/// is in a run has been parsed before, and is well-formed.
template <class Each>
void for_each_message(const mail_run& run, Each each) {
  auto left = run.bytes;
  while (!left.empty()) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < wire::frame_prefix_size; ++i)
      length = length << 8U | std::to_integer<std::size_t>(left[i]);
    const auto frame = left.first(wire::frame_prefix_size + length);
    left = left.subspan(frame.size());
    const auto head = wire::parse_envelope(frame.subspan(wire::frame_prefix_size));
    const auto meta = head ? wire::parse_meta(head->meta)
                           : result<wire::envelope_meta>{tl::unexpected{head.error()}};
    if (!meta) return; // cannot be
    mail_run one{run.memory, frame, 1, run.sender, run.only_for, {}};
    if (meta->ask != 0) one.asks.push_back(meta->ask);
    each(one, *head, *meta);
  }
}

/// A message of the primary's own making, as a run of one.
[[nodiscard]] inline mail_run written_by_primary(const wire::envelope_view& envelope,
                                                 const wire::envelope_meta& meta) {
  wire::buffer packed;
  auto whole = envelope;
  whole.meta = wire::encode_meta(meta, packed);
  std::vector<std::byte> frame;
  wire::append_envelope(whole, frame);
  auto memory = std::make_shared<const std::vector<std::byte>>(std::move(frame));
  mail_run run{memory, *memory, 1, 0, 0, {}};
  if (meta.answers != 0) run.only_for = wire::asker_incarnation(meta.answers);
  if (meta.ask != 0) run.asks.push_back(meta.ask);
  return run;
}

} // namespace coppice
