#pragma once
// The part of a ledger that holds leases: which bytes lie where, as both sides have it. The worker
// maps it and writes it (lease_table, lease_writer), the primary reads copies of it (lease_reader)
// and fills the slot of a connection that moves before it offers it. docs/protocol.md says the same
// in more words.
//
//   0        ledger_header (ledger.hpp)          one page
//   4096     lease_page                          one page: what the worker says about all leases
//   8192     the ring of returned leases         lease_slots entries
//   73728    lease_slots slots of 128 KiB        slot_head, journal, stage
//
// Holes of the file cost nothing: a slot that was never used has no memory, and a connection with
// small requests and answers uses two pages of its slot.

#include <coppice/runtime/limits.hpp>

#include <cstddef>
#include <cstdint>

namespace coppice {

/// Where an exchange is: the one at `in_off`, the first input that is not consumed. An answer that
/// is staged belongs to the exchanges before it, whatever the phase: it has to be written whole.
enum class exchange_phase : std::uint8_t {
  reading = 0,  ///< nothing, or part of a request, is in the journal (nothing: idle)
  handling = 1, ///< the whole request is in the journal, and user code is at it
  streaming =
      2,       ///< the answer exceeds the stage or the request the journal: not all is in the slot
  closing = 3, ///< the last answer is staged: once it is written the connection is closed
  abandoned = 4, ///< it will not be run again: it waits to be told so by the service
};
inline constexpr unsigned exchange_phases = 5;

/// Why an exchange is abandoned. HTTP has an answer to each.
enum class abandoned_why : std::uint8_t {
  none = 0,
  not_replayable =
      1, ///< its worker died over it, and it may not be run twice (502); the only one for streams
  too_often = 2, ///< it may be run again, but too many workers have died meanwhile (503)
  poison = 3,    ///< workers die of it (500)
};

/// One state of a connection. Offsets count bytes of this TCP connection since its start.
struct lease_record {
  std::uint64_t in_off = 0;       ///< the first byte of input that is not consumed
  std::uint64_t out_off = 0;      ///< of the stage's first byte
  std::uint64_t journal_base = 0; ///< of the journal's first byte
  std::uint64_t in_end = 0;       ///< only while streaming: where the journal's content ends
  std::uint32_t staged = 0;       ///< bytes in the stage
  std::uint32_t attempt = 1;      ///< of the exchange at in_off
  std::uint32_t state = 0;        ///< lease_state, as one word: the worker changes it in one store
  std::uint32_t reserved = 0;
};

/// The parts of `lease_record::state`.
struct lease_state {
  exchange_phase phase = exchange_phase::reading;
  bool replayable = false;                 ///< it may be run twice
  bool interim_sent = false;               ///< it has had its 1xx
  bool spoilt = false;                     ///< the slot is being filled with something else
  abandoned_why why = abandoned_why::none; ///< of `abandoned`

  [[nodiscard]] constexpr std::uint32_t word() const noexcept {
    return static_cast<std::uint32_t>(phase) | (replayable ? 1u << 8 : 0u) |
           (interim_sent ? 1u << 9 : 0u) | (spoilt ? 1u << 10 : 0u) |
           static_cast<std::uint32_t>(why) << 16;
  }
  /// False: no worker of this version has written that word.
  [[nodiscard]] static constexpr bool well_formed(std::uint32_t word) noexcept {
    return (word & 0xff) < exchange_phases && (word >> 16) <= 3 && (word & 0xf800) == 0;
  }
  [[nodiscard]] static constexpr lease_state of(std::uint32_t word) noexcept {
    return {static_cast<exchange_phase>(word & 0xff), (word & (1u << 8)) != 0,
            (word & (1u << 9)) != 0, (word & (1u << 10)) != 0,
            static_cast<abandoned_why>((word >> 16) & 3)};
  }
  bool operator==(const lease_state&) const = default;
};

/// The head of a slot. `current` alone says which record holds: the other one is filled in
/// completely, then one release store of `current` ends one state and begins the next.
struct slot_head {
  std::uint64_t lease = 0;   ///< whose slot this is: the lease's id + 1; 0: nobody's
  std::uint64_t taken = 0;   ///< at the adoption: bytes that recv had taken
  std::uint64_t written = 0; ///< at the adoption: bytes that send had put in
  std::uint32_t current = 0; ///< counts up; its last bit says which record holds
  std::uint32_t reserved = 0;
  lease_record records[2] = {};
};

/// What the worker says about all its leases.
struct lease_page {
  std::uint64_t returned = 0; ///< leases returned so far: their entries are in the ring
  std::uint32_t running = 0;  ///< slot + 1 of the exchange whose handler is on the CPU; 0: none
  std::uint32_t reserved = 0;
};

/// An entry of the ring: a slot, and how it was returned.
enum class lease_return : std::uint32_t {
  over = 0,  ///< the connection is closed, or not ours any more
  alive = 1, ///< it goes on elsewhere: its slot says how
};
[[nodiscard]] constexpr std::uint32_t ring_entry(std::uint32_t slot, lease_return how) noexcept {
  return slot | static_cast<std::uint32_t>(how) << 24;
}
[[nodiscard]] constexpr std::uint32_t slot_of(std::uint32_t entry) noexcept {
  return entry & 0xff'ffff;
}
[[nodiscard]] constexpr bool returned_alive(std::uint32_t entry) noexcept {
  return entry >> 24 == static_cast<std::uint32_t>(lease_return::alive);
}

inline constexpr std::size_t slot_size = 128 * 1024;
inline constexpr std::size_t journal_offset = 256; ///< shares the head's page
inline constexpr std::size_t stage_offset = 36 * 1024;
inline constexpr std::size_t journal_size = stage_offset - journal_offset;
inline constexpr std::size_t stage_size = slot_size - stage_offset;

inline constexpr std::size_t lease_page_at = 4096;
inline constexpr std::size_t return_ring_at = 2 * 4096;
inline constexpr std::size_t slots_at =
    return_ring_at + limits::lease_slots * sizeof(std::uint32_t);
/// The size of a ledger with leases.
inline constexpr std::size_t lease_file_size = slots_at + limits::lease_slots * slot_size;

[[nodiscard]] constexpr std::size_t slot_at(std::uint32_t slot) noexcept {
  return slots_at + slot * slot_size;
}

static_assert(sizeof(slot_head) <= journal_offset);
static_assert(journal_size >= 2 * limits::lease_input + limits::lease_receive,
              "what is not consumed can be moved to the journal's start without covering itself");
static_assert(stage_size >= limits::http_whole_answer + limits::connection_staged,
              "a whole answer fits with its head");
static_assert(limits::lease_slots < 1u << 24, "a ring entry holds a slot and how it came back");
static_assert(slots_at % 4096 == 0 && slot_size % 4096 == 0);

} // namespace coppice
