// The sanitizers have an operator new of their own, so this runs without them only.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include "support/catch.hpp"

#include <coppice/runtime/wire/control.hpp>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

namespace {
std::atomic<std::size_t> allocations = 0; // of this program
}

// Not inlined: g++ would see a free() that belongs to no malloc() where only one of them is.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc{};
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace coppice::wire {

TEST_CASE("offering connections allocates nothing") {
  buffer out;
  const offered one{.id = ~std::uint64_t{0}, .listener = 0xffffffff};
  const std::vector<offered> thirty(30, one);
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) {
    (void)encode_connections({&one, 1}, out);
    (void)encode_connections(thirty, out);
  }
  CHECK(allocations == before);
}

} // namespace coppice::wire

#endif
