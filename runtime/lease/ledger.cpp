#include <coppice/runtime/lease/ledger.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace coppice {

namespace {

constexpr const char* object = "ledger";

/// The words are plain in the layout, so that a copy of it is plain data, and atomic where the
/// worker writes them.
template <class T>
void publish(T& word, T value) noexcept {
  std::atomic_ref<T>{word}.store(value, std::memory_order_release);
}

template <class T>
void add(T& word, T n) noexcept { // one writer: load and store, no locked instruction
  std::atomic_ref<T> shared{word};
  shared.store(shared.load(std::memory_order_relaxed) + n, std::memory_order_release);
}

} // namespace

// ---- primary

result<ledger_snapshot> ledger_reader::read() const {
  ledger_snapshot copy;
  const auto n = ::pread(memory_.get(), &copy, sizeof copy, 0);
  if (n < 0) return system_failure("read", object);
  if (static_cast<std::size_t>(n) != sizeof copy)
    return failure_because("read", object, "it is too short");
  if (copy.version != 0 && copy.version != ledger_version)
    return failure_because("read", object, "its version is unknown");
  return copy;
}

void ledger_reader::ask_to_be_woken() {
  const std::uint32_t yes = 1;
  // A memfd takes four bytes whole; if the descriptor were bad, read() says so next.
  [[maybe_unused]] const auto n =
      ::pwrite(memory_.get(), &yes, sizeof yes, offsetof(ledger_header, wake_me));
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

// ---- worker

result<ledger_writer> ledger_writer::open(const os::unique_fd& memory) {
  const int seals = ::fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0) return system_failure("open", object);
  if ((seals & F_SEAL_SHRINK) == 0)
    return failure_because("open", object, "it is not sealed against truncation");
  struct stat about {};
  if (::fstat(memory.get(), &about) != 0) return system_failure("open", object);
  if (about.st_size < static_cast<off_t>(ledger_size))
    return failure_because("open", object, "it is too short");
  void* const at =
      ::mmap(nullptr, ledger_size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (at == MAP_FAILED) return system_failure("map", object);
  auto* const header = static_cast<ledger_header*>(at);
  publish(header->version, ledger_version);
  return ledger_writer{header};
}

ledger_writer::ledger_writer(ledger_writer&& other) noexcept
    : header_{std::exchange(other.header_, nullptr)} {}

ledger_writer& ledger_writer::operator=(ledger_writer&& other) noexcept {
  std::swap(header_, other.header_);
  return *this;
}

ledger_writer::~ledger_writer() {
  if (header_ != nullptr) ::munmap(header_, ledger_size);
}

bool ledger_writer::asked_to_wake() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::atomic_ref<std::uint32_t> wake_me{header_->wake_me};
  if (wake_me.load(std::memory_order_relaxed) == 0) return false;
  wake_me.store(0, std::memory_order_relaxed);
  return true;
}

bool ledger_writer::took_one() noexcept {
  add<std::uint64_t>(header_->taken, 1);
  return asked_to_wake();
}

bool ledger_writer::ended_one() noexcept {
  add<std::uint64_t>(header_->ended, 1);
  return asked_to_wake();
}

void ledger_writer::handed_back(std::uint64_t n) noexcept { add(header_->handed_back, n); }

void ledger_writer::protects(protection level) noexcept {
  publish(header_->protection, static_cast<std::uint32_t>(level));
}

void ledger_writer::served(std::uint64_t so_far) noexcept { publish(header_->served, so_far); }

void ledger_writer::beat(std::uint64_t lag_us, std::uint64_t rss_bytes,
                         std::uint32_t connections) noexcept {
  ledger_health& health = header_->health;
  publish(health.lag_us, lag_us);
  publish(health.rss_bytes, rss_bytes);
  publish(health.connections, connections);
  add<std::uint64_t>(health.beats, 1);
}

} // namespace coppice
