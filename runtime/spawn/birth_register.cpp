#include <coppice/runtime/spawn/birth_register.hpp>

#include <coppice/runtime/os/memfd.hpp>

#include <cstddef>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace coppice {

result<birth_register> birth_register::map(os::unique_fd file) {
  void* mapped = ::mmap(nullptr, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) return system_failure("map", "birth register");
  return birth_register{static_cast<page*>(mapped)};
}

birth_register::birth_register(birth_register&& other) noexcept
    : page_{std::exchange(other.page_, nullptr)} {}

void birth_register::begin(std::uint64_t request) noexcept {
  page_->worker = 0;
  page_->middle = 0;
  page_->request = request;
}

pid_t* birth_register::worker_slot() noexcept { return reinterpret_cast<pid_t*>(&page_->worker); }
pid_t* birth_register::middle_slot() noexcept { return reinterpret_cast<pid_t*>(&page_->middle); }

void birth_register::unmap() noexcept {
  if (page_ != nullptr) ::munmap(std::exchange(page_, nullptr), sizeof(page));
}

result<birth_reader> birth_reader::make() {
  auto file = os::sealed_memfd("coppice-births", sizeof(birth_register::page));
  if (!file) return tl::make_unexpected(std::move(file.error()));
  return birth_reader{*std::move(file)};
}

birth birth_reader::read() const noexcept {
  using page = birth_register::page;
  std::byte bytes[sizeof(page)]{};
  birth found;
  if (::pread(file_.get(), bytes, sizeof bytes, 0) != sizeof bytes) return found;
  std::memcpy(&found.request, bytes + offsetof(page, request), sizeof found.request);
  std::memcpy(&found.worker, bytes + offsetof(page, worker), sizeof found.worker);
  std::memcpy(&found.middle, bytes + offsetof(page, middle), sizeof found.middle);
  return found;
}

} // namespace coppice
