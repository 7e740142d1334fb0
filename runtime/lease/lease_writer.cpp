#include <coppice/runtime/lease/lease_writer.hpp>

#include <atomic>
#include <cassert>
#include <cstring>

namespace coppice {

namespace {

/// Every store before it is in memory when the one that follows it is. Against the compiler only: a
/// process that is killed leaves its stores in program order.
void in_order() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

template <class T>
void publish(T& word, T value) noexcept {
  in_order();
  std::atomic_ref<T>{word}.store(value, std::memory_order_release);
  in_order();
}

} // namespace

lease_writer lease_writer::take(std::byte* slot, std::uint64_t id) noexcept {
  lease_writer self;
  self.head_ = reinterpret_cast<slot_head*>(slot);
  slot_head& head = *self.head_;
  if (head.lease == id + 1) {
    self.taken_ = head.taken;
    self.written_ = head.written;
    self.now_ = head.records[head.current & 1];
    self.moved_ = true;
    self.deepest_ = self.now_.staged;
    return self;
  }
  // Until the last store the slot is somebody's whose id is not this one: nobody's.
  head.taken = head.written = 0;
  head.current = 0;
  head.records[0] = self.now_;
  publish(head.lease, id + 1);
  return self;
}

/// The one way in which the record changes as a whole.
void lease_writer::commit(const lease_record& next) noexcept {
  const std::uint32_t number = head_->current + 1;
  head_->records[number & 1] = next;
  publish(head_->current, number);
  now_ = next;
  if (next.staged > deepest_) deepest_ = next.staged;
}

/// The one way in which it changes in part: one word, one store.
void lease_writer::mark(lease_state state) noexcept {
  now_.state = state.word();
  publish(head_->records[head_->current & 1].state, now_.state);
}

lease_record lease_writer::next_exchange(lease_record record) noexcept {
  record.attempt = 1;
  record.in_end = 0;
  record.state = lease_state{}.word();
  return record;
}

// ---- input

std::span<char> lease_writer::room() noexcept {
  const std::size_t waiting = input().size();
  std::size_t used = static_cast<std::size_t>(taken_ - now_.journal_base);
  if (journal_size - used < limits::lease_receive) {
    // What is not consumed is less than half of the journal: its new place does not touch it.
    std::memcpy(journal(), input().data(), waiting);
    lease_record next = now_;
    next.journal_base = now_.in_off;
    commit(next);
    used = waiting;
  }
  const std::size_t allowed = limits::lease_input - waiting;
  const std::size_t free = journal_size - used;
  return {journal() + used, allowed < free ? allowed : free};
}

// ---- exchanges

void lease_writer::handling(bool replayable) noexcept {
  lease_state next = state();
  if (next.phase == exchange_phase::closing) return;
  if (next.phase != exchange_phase::streaming) next.phase = exchange_phase::handling;
  next.why = abandoned_why::none;
  next.replayable = replayable && (!passed_ || next.replayable);
  if (next.word() != now_.state) mark(next);
}

void lease_writer::reading() noexcept {
  lease_state next = state();
  if (next.phase != exchange_phase::handling) return;
  next.phase = exchange_phase::reading;
  mark(next);
}

/// Finds a place for `size` more bytes behind what is not sent, and says in `next` where that is.
bool lease_writer::make_room_on_stage(lease_record& next, std::size_t size) noexcept {
  const std::size_t waiting = unsent().size();
  if (waiting == 0) { // what is sent may be overwritten: nobody will send it again
    if (size > stage_size) return false;
    next.out_off = written_;
    next.staged = 0;
    return true;
  }
  if (now_.staged + size <= stage_size) return true;
  const std::size_t done = now_.staged - waiting;
  if (waiting > done || waiting + size > stage_size) return false;
  std::memcpy(stage(), unsent().data(), waiting);
  lease_record moved = now_;
  moved.out_off = next.out_off = written_;
  moved.staged = next.staged = static_cast<std::uint32_t>(waiting);
  commit(moved);
  return true;
}

bool lease_writer::reply(std::size_t n, std::span<const std::string_view> answer,
                         bool last) noexcept {
  assert(n <= input().size());
  std::size_t size = 0;
  for (const auto piece : answer) size += piece.size();
  lease_record next = next_exchange(now_);
  if (!make_room_on_stage(next, size)) return false;
  for (const auto piece : answer) {
    piece.copy(stage() + next.staged, piece.size());
    next.staged += static_cast<std::uint32_t>(piece.size());
  }
  next.in_off += n;
  if (next.in_off == taken_) next.journal_base = taken_; // empty: it begins anew
  if (last) next.state = lease_state{.phase = exchange_phase::closing}.word();
  commit(next);
  return true;
}

bool lease_writer::interim(std::string_view answer) noexcept {
  lease_record next = now_;
  if (!make_room_on_stage(next, answer.size())) return false;
  answer.copy(stage() + next.staged, answer.size());
  next.staged += static_cast<std::uint32_t>(answer.size());
  lease_state said = lease_state::of(next.state);
  said.interim_sent = true;
  next.state = said.word();
  commit(next);
  return true;
}

// ---- past the slot

void lease_writer::expose(bool untouched) noexcept {
  lease_record next = now_;
  lease_state said = state();
  if (said.phase == exchange_phase::closing) return;
  if (untouched && said.phase == exchange_phase::reading) said.replayable = true;
  said.phase = exchange_phase::streaming;
  next.state = said.word();
  next.in_end = taken_;
  commit(next);
}

bool lease_writer::cover(std::string_view input, std::string_view output, bool last) noexcept {
  if (input.size() > limits::lease_input || output.size() > stage_size) return false;
  // The slot is overwritten: from here it says nothing about this exchange.
  lease_state spoilt = state();
  spoilt.spoilt = true;
  mark(spoilt);
  lease_record next = next_exchange(now_);
  next.in_off = next.journal_base = taken_ - input.size();
  next.out_off = written_;
  next.staged = static_cast<std::uint32_t>(output.size());
  if (last) next.state = lease_state{.phase = exchange_phase::closing}.word();
  // Both may be where they go to already, or elsewhere in the slot.
  if (!input.empty()) std::memmove(journal(), input.data(), input.size());
  if (!output.empty()) std::memmove(stage(), output.data(), output.size());
  commit(next);
  passed_ = false;
  return true;
}

void lease_writer::closing() noexcept {
  lease_state next = state();
  if (next.phase == exchange_phase::closing) return;
  next.phase = exchange_phase::closing;
  mark(next);
}

} // namespace coppice
