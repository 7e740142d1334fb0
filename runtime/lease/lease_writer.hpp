#pragma once
// The worker's hand in one slot of its ledger: where the input of a connection is received to,
// where its answers are staged, and the record that says how far it has come. Whatever instruction
// the worker dies at, the slot and the kernel's counters together tell another worker how to go on
// (lease_recovery.hpp).
//
// The rules that make it so:
// - Input is received straight into the journal, at (stream offset - journal_base): what has left
//   the kernel is in the journal, without a count that could be stored too late.
// - Bytes of the journal and the stage that the current record speaks of are never overwritten.
// - A change of the record fills the other record in completely; then one release store of
//   `current` makes it hold. Nothing is added up in place.
// - What was received and sent is counted here, in the worker's own memory, for its own use only:
//   after its death the kernel is asked.
//
// No system calls, no allocation. A small value over mapped memory that must outlive it. Loop
// thread only.

#include <coppice/runtime/lease/lease_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace coppice {

class lease_writer {
public:
  /// Holds no slot.
  lease_writer() = default;

  /// Takes a slot for lease `id`: one that the primary has filled in for a connection that moved is
  /// gone on with, any other is begun anew for a connection of which nothing was received or sent.
  [[nodiscard]] static lease_writer take(std::byte* slot, std::uint64_t id) noexcept;

  [[nodiscard]] explicit operator bool() const noexcept { return head_ != nullptr; }
  /// Another worker held the connection before.
  [[nodiscard]] bool moved() const noexcept { return moved_; }

  // ---- input

  /// Where the next bytes are to be received; moves what is not consumed when the journal is near
  /// its end. Empty: as much as fits is there and nothing of it is consumed.
  [[nodiscard]] std::span<char> room() noexcept;
  /// recv has put `n` bytes there.
  void received(std::size_t n) noexcept { taken_ += n; }
  /// What is received and not consumed.
  [[nodiscard]] std::string_view input() const noexcept {
    return {journal() + (now_.in_off - now_.journal_base),
            static_cast<std::size_t>(taken_ - now_.in_off)};
  }

  // ---- exchanges

  /// User code is at the exchange from here. Says the same again for nothing.
  void handling(bool replayable) noexcept;
  /// It has only looked at the input, and waits for more.
  void reading() noexcept;
  /// One exchange is over: `n` bytes of input are consumed and the answer is staged, in one store.
  /// With `last`, the connection is to be closed behind it. False, and nothing has changed: the
  /// answer does not fit.
  [[nodiscard]] bool reply(std::size_t n, std::span<const std::string_view> answer,
                           bool last) noexcept;
  /// Output that consumes nothing. False, and nothing has changed: it does not fit.
  [[nodiscard]] bool interim(std::string_view answer) noexcept;

  /// What is staged and not sent.
  [[nodiscard]] std::string_view unsent() const noexcept {
    const std::uint64_t done = written_ - now_.out_off;
    return {stage() + done, static_cast<std::size_t>(now_.staged - done)};
  }
  /// send has taken `n` bytes of it.
  void sent(std::size_t n) noexcept { written_ += n; }

  // ---- an exchange that does not fit

  /// From here the connection is read and written past the slot. What was staged stays there.
  /// `untouched`: the user has done nothing about it but look at the input.
  void expose(bool untouched) noexcept;
  [[nodiscard]] bool exposed() const noexcept {
    return lease_state::of(now_.state).phase == exchange_phase::streaming;
  }
  /// One exchange past the slot is over. The record still begins with it, so those that follow can
  /// only be run again together with it.
  void passed() noexcept { passed_ = exposed(); }
  /// Received and sent meanwhile.
  void received_past(std::size_t n) noexcept { taken_ += n; }
  void sent_past(std::size_t n) noexcept { written_ += n; }
  /// Back to an exchange that is in the slot whole: `input` is what is received and not consumed,
  /// `output` what is handed over and not sent. False, and nothing has changed: they do not fit.
  [[nodiscard]] bool cover(std::string_view input, std::string_view output,
                           bool last = false) noexcept;

  // ---- the end

  /// The connection is closed once what is staged has been written; its input is of no interest.
  void closing() noexcept;

  /// What the record says; for tests, and for whoever goes on with a connection that moved.
  [[nodiscard]] lease_state state() const noexcept { return lease_state::of(now_.state); }
  [[nodiscard]] unsigned attempt() const noexcept { return now_.attempt; }
  /// The most that was staged at once.
  [[nodiscard]] std::size_t deepest() const noexcept { return deepest_; }

private:
  [[nodiscard]] char* journal() const noexcept {
    return reinterpret_cast<char*>(head_) + journal_offset;
  }
  [[nodiscard]] char* stage() const noexcept {
    return reinterpret_cast<char*>(head_) + stage_offset;
  }
  void commit(const lease_record& next) noexcept;
  void mark(lease_state state) noexcept;
  [[nodiscard]] bool make_room_on_stage(lease_record& next, std::size_t size) noexcept;
  static lease_record next_exchange(lease_record record) noexcept;

  slot_head* head_ = nullptr;
  bool moved_ = false;
  bool passed_ = false; ///< exchanges are over that the record still begins with
  std::uint32_t deepest_ = 0;
  std::uint64_t taken_ = 0;   ///< input that recv has given, in bytes since the connection's start
  std::uint64_t written_ = 0; ///< output that send has taken, the same
  lease_record now_;          ///< the record that holds: the worker's own copy
};

} // namespace coppice
