#include <coppice/runtime/lease/lease_table.hpp>

#include <atomic>
#include <sys/mman.h>
#include <sys/stat.h>
#include <utility>

namespace coppice {

namespace {

constexpr const char* object = "leases";

template <class T>
void publish(T& word, T value) noexcept {
  std::atomic_ref<T>{word}.store(value, std::memory_order_release);
}

} // namespace

lease_table::lease_table(lease_table&& other) noexcept
    : memory_{std::move(other.memory_)},
      at_{std::exchange(other.at_, nullptr)} {}

lease_table& lease_table::operator=(lease_table&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(at_, other.at_);
  return *this;
}

lease_table::~lease_table() {
  if (at_ != nullptr) ::munmap(at_, lease_file_size);
}

result<void> lease_table::map() {
  struct stat about {};
  if (::fstat(memory_.get(), &about) != 0) return system_failure("map", object);
  if (about.st_size < static_cast<off_t>(lease_file_size))
    return failure_because("map", object, "the ledger has no room for them");
  void* const at =
      ::mmap(nullptr, lease_file_size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
  if (at == MAP_FAILED) return system_failure("map", object);
  ::madvise(at, lease_file_size, MADV_DONTDUMP); // gigabytes of holes in a core file
  at_ = static_cast<std::byte*>(at);
  memory_.reset();
  return {};
}

lease_page& lease_table::page() noexcept {
  return *reinterpret_cast<lease_page*>(at_ + lease_page_at);
}

result<std::byte*> lease_table::slot(std::uint32_t number) {
  if (number >= limits::lease_slots)
    return failure_because("use slot", std::to_string(number), "there is no such slot");
  if (at_ == nullptr)
    if (auto mapped = map(); !mapped) return tl::unexpected{mapped.error()};
  return at_ + slot_at(number);
}

void lease_table::runs(std::uint32_t number) noexcept {
  publish<std::uint32_t>(page().running, number + 1);
}

void lease_table::runs_none() noexcept { publish<std::uint32_t>(page().running, 0); }

// One writer: load and store, no locked instruction. The entry is in memory before it is counted.
void lease_table::give_back(std::uint32_t number, lease_return how, std::size_t used) noexcept {
  if (how == lease_return::over && used > limits::lease_kept)
    ::madvise(at_ + slot_at(number) + stage_offset + limits::lease_kept,
              stage_size - limits::lease_kept, MADV_REMOVE);
  auto* const ring = reinterpret_cast<std::uint32_t*>(at_ + return_ring_at);
  const std::uint64_t so_far = page().returned;
  publish(ring[so_far % limits::lease_slots], ring_entry(number, how));
  publish(page().returned, so_far + 1);
}

} // namespace coppice
