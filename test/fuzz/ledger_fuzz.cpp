// What a worker may have left in its ledger: whatever it is, the primary's reading of it ends
// within its bounds, and a connection that goes on is one that the next worker can hold.
//
// The input is laid over what a worker could write: first what the kernel has counted and how the
// worker died (scene), then the slot's head, the page and the beginning of the ring.

#include "must.hpp"

#include <coppice/runtime/lease/lease_reader.hpp>
#include <coppice/runtime/lease/lease_writer.hpp>
#include <coppice/runtime/os/memfd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace coppice;

namespace {

using bytes = std::span<const std::uint8_t>;

struct scene {
  std::uint64_t id;
  std::uint64_t taken, written;
  std::uint32_t fin_sent, over, level, whose, slot, next_slot;
  exchange_history before;
};

template <class T>
T take(bytes& input) {
  T value{};
  const auto n = std::min(input.size(), sizeof value);
  std::memcpy(static_cast<void*>(&value), input.data(), n);
  input = input.subspan(n);
  return value;
}

/// A ledger of full size; one for all inputs, as its pages are few.
struct ledger {
  os::unique_fd file = std::move(os::sealed_memfd("coppice-ledger", lease_file_size).value());
  std::byte* at = static_cast<std::byte*>(
      ::mmap(nullptr, lease_file_size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));

  [[nodiscard]] lease_reader reader() const {
    return lease_reader{os::unique_fd{::dup(file.get())}};
  }
};

void within(const slot_range& range, std::size_t from, std::size_t size) {
  if (range.size == 0) return;
  must(range.at >= from && range.at + range.size <= from + size, "a range lies in its part");
}

/// The next worker has it: all that it can do with it stays in the slot.
void use(std::byte* slot, std::uint64_t id, const lease_verdict& verdict) {
  const auto inside = [slot](const char* at, std::size_t n, std::size_t from, std::size_t size) {
    const auto offset = reinterpret_cast<const std::byte*>(at) - slot;
    must(offset >= static_cast<std::ptrdiff_t>(from) &&
             static_cast<std::size_t>(offset) + n <= from + size,
         "a view lies in its part of the slot");
  };
  auto lease = lease_writer::take(slot, id);
  must(lease.moved() && lease.state() == verdict.next, "it is found as it was judged");
  must(!lease.exposed(), "what goes on is in its slot whole");
  must(lease.input().size() == verdict.input.size && lease.unsent().size() == verdict.output.size,
       "nothing is lost on the way");
  inside(lease.input().data(), lease.input().size(), journal_offset, journal_size);
  inside(lease.unsent().data(), lease.unsent().size(), stage_offset, stage_size);
  if (lease.input().size() < limits::lease_input) {
    const auto room = lease.room();
    inside(room.data(), room.size(), journal_offset, journal_size);
    must(!room.empty(), "something can be received");
    lease.received(std::min<std::size_t>(room.size(), 100));
  }
  lease.handling(true);
  constexpr std::string_view answer[] = {"an answer"};
  (void)lease.reply(lease.input().size(), answer, false);
  inside(lease.unsent().data(), lease.unsent().size(), stage_offset, stage_size);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ledger left, next; // a worker's, and the next one's
  bytes input{data, size};
  auto how = take<scene>(input);
  const auto slot = static_cast<std::uint32_t>(how.slot % limits::lease_slots);
  const auto to = static_cast<std::uint32_t>(how.next_slot % 16);
  how.level %= 3;
  how.whose %= 3;
  const auto head = take<slot_head>(input);
  const auto page = take<lease_page>(input);
  std::memcpy(left.at + slot_at(slot), &head, sizeof head);
  std::memcpy(left.at + lease_page_at, &page, sizeof page);
  std::memcpy(left.at + return_ring_at, input.data(), std::min<std::size_t>(input.size(), 4096));

  auto reader = left.reader();
  const auto entries = reader.returned();
  must(!entries || entries->size() <= limits::lease_slots, "no more come back than there are");
  must(entries.has_value() == (page.returned <= limits::lease_slots),
       "a count too high is refused");

  const auto seen = reader.head(slot);
  must(seen && std::memcmp(&*seen, &head, sizeof head) == 0, "the head is read as it is");
  const lease_witness kernel{how.taken, how.written, how.fin_sent % 2 != 0, how.over % 2 != 0};
  const auto verdict = judge(*seen, how.id, kernel, static_cast<protection>(how.level),
                             static_cast<blame>(how.whose), how.before);
  must((verdict.fate == lease_fate::reset) == (*verdict.why != '\0'), "a reset says why");
  if (verdict.fate == lease_fate::as_offered)
    must(how.taken == 0 && how.written == 0, "what was used is not offered as new");
  if (verdict.fate != lease_fate::goes_on) return 0;

  must(verdict.taken == how.taken && verdict.written == how.written, "the kernel is believed");
  must(lease_state::well_formed(verdict.next.word()), "the next worker understands its state");
  must(!verdict.next.spoilt && verdict.next.phase != exchange_phase::streaming &&
           verdict.next.phase != exchange_phase::handling,
       "it begins where something can begin");
  within(verdict.input, journal_offset, journal_size);
  within(verdict.output, stage_offset, stage_size);
  must(verdict.input.size <= how.taken, "no more was received than the kernel says");
  const auto carried = reader.carry(slot, verdict);
  must(carried.has_value(), "what is judged can be read");
  must(next.reader().put(to, how.id, *carried).has_value(), "and put");
  use(next.at + slot_at(to), how.id, verdict);
  return 0;
}
