#pragma once
// What a worker tells the primary without a message and without a system call: one sealed memfd per
// incarnation, made by the primary, mapped by the worker alone. The primary reads it by pread into
// a copy and judges the copy: a worker can write anything there, and can neither crash the primary
// (no mapping, so no SIGBUS) nor change a number between its check and its use. The numbers of the
// header are there today; leases follow behind it.
//
// Every number has one writer, the worker; `wake_me` alone is set by the primary and cleared by the
// worker. The order in which they may be trusted:
//   worker:  ++taken; fence; if wake_me: wake_me = 0, send `room`
//   primary: wake_me = 1; fence; read taken
// Of the two loads at least one sees the other side's store, so that a primary that waits is always
// woken.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/lease/protection.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace coppice {

/// How the worker is: written once a second by its main loop (limits::heartbeat), so that a loop
/// that stands still is seen to. All zero: it has not beaten yet.
struct ledger_health {
  std::uint64_t beats = 0;       ///< heartbeats so far
  std::uint64_t lag_us = 0;      ///< how late the last one was
  std::uint64_t rss_bytes = 0;   ///< resident memory at the last one
  std::uint32_t connections = 0; ///< open connections at the last one
  std::uint32_t reserved = 0;
};

/// The layout, as both sides have it. All zero: no worker has opened it yet.
struct ledger_header {
  std::uint32_t version = 0; ///< 0, or ledger_version once a worker has opened it
  std::uint32_t wake_me = 0; ///< 1: the primary waits for room
  std::uint64_t taken = 0;   ///< connections taken so far, in the order offered
  std::uint64_t handed_back =
      0; ///< connections refused so far, each counted before anything later is taken
  std::uint64_t served = 0; ///< exchanges finished so far
  ledger_health health{};
  std::uint32_t protection = 0; ///< what its service can do with connections that move
  std::uint32_t reserved = 0;
  std::uint64_t ended = 0; ///< connections without a lease that are over, of those taken
};

inline constexpr std::uint32_t ledger_version = 1;
/// The file's size: one page, so that the header never shares one with what comes later.
inline constexpr std::size_t ledger_size = 4096;

static_assert(sizeof(ledger_header) <= ledger_size);
static_assert(offsetof(ledger_header, taken) % sizeof(std::uint64_t) == 0);
static_assert(offsetof(ledger_header, health) % sizeof(std::uint64_t) == 0);
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free,
              "the two sides share no lock, only words");

/// A copy of the numbers at one moment. Whatever a worker wrote: check before use.
using ledger_snapshot = ledger_header;

/// The primary's side. Not thread-safe.
class ledger_reader {
public:
  /// Takes its own descriptor of a ledger.
  explicit ledger_reader(os::unique_fd memory) noexcept : memory_{std::move(memory)} {}

  /// The header now. Fails if the file is too short or of another version.
  [[nodiscard]] result<ledger_snapshot> read() const;

  /// After this, the worker sends `room` once when it has taken something, or `read` shows that it
  /// already has.
  void ask_to_be_woken();

private:
  os::unique_fd memory_;
};

/// The worker's side. Move-only; unmaps in its destructor. Not thread-safe.
class ledger_writer {
public:
  /// Maps the ledger; the descriptor is needed no longer. Refuses a file that is not sealed against
  /// truncation, or is too short.
  [[nodiscard]] static result<ledger_writer> open(const os::unique_fd& memory);

  ledger_writer(ledger_writer&& other) noexcept;
  ledger_writer& operator=(ledger_writer&& other) noexcept;
  ~ledger_writer();

  /// One connection is taken. Call it before the first byte is received from it: until then another
  /// worker can have it. True: the primary waits to be told that there is room.
  [[nodiscard]] bool took_one() noexcept;
  /// One lease is given back, and the ring of returns says which. True: the primary waits to be
  /// told so.
  [[nodiscard]] bool returned_one() noexcept { return asked_to_wake(); }
  /// One connection that had no lease is over. True: the primary waits to be told so.
  [[nodiscard]] bool ended_one() noexcept;
  /// `n` connections are refused. Call it before the frame that names them, and before anything
  /// later is taken.
  void handed_back(std::uint64_t n) noexcept;
  void served(std::uint64_t so_far) noexcept;
  /// How its connections may be moved: said when the service is set up.
  void protects(protection level) noexcept;
  void beat(std::uint64_t lag_us, std::uint64_t rss_bytes, std::uint32_t connections) noexcept;

private:
  explicit ledger_writer(ledger_header* header) noexcept : header_{header} {}
  [[nodiscard]] bool asked_to_wake() noexcept;

  ledger_header* header_ = nullptr;
};

} // namespace coppice
