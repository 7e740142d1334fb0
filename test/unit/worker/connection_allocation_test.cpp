// The sanitizers have an operator new of their own, so this runs without them only.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#include "support/connection_world.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

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

// What asio takes memory with.
extern "C" void* __libc_memalign(std::size_t alignment, std::size_t size);
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}

using namespace coppice::test;

TEST_CASE("exchanges on open connections allocate nothing", "[connection]") {
  connection_world world;
  script s;
  s.on_input = echo_lines;
  const auto first = world.adopt(s);
  const auto second = world.adopt(s);
  char buffer[64];
  const auto exchange = [&](const auto& client, std::string_view request) {
    // In two halves: the first one has to be stored.
    const auto half = request.size() / 2;
    const int before = s.inputs;
    send_all(client, request.substr(0, half));
    while (s.inputs == before) {
      world.loop.restart();
      world.loop.run_one();
    }
    send_all(client, request.substr(half));
    while (s.inputs == before + 1) {
      world.loop.restart();
      world.loop.run_one();
    }
    return ::recv(client.get(), buffer, sizeof buffer, 0);
  };
  for (int i = 0; i < 10; ++i) { // buffers and the loop's own memory are made once
    exchange(first, "a request that is long enough\n");
    exchange(second, "a request that is long enough\n");
  }
  std::size_t answered = 0;
  const std::size_t before = allocations;
  for (int i = 0; i < 1000; ++i) {
    answered += exchange(first, "a request that is long enough\n") == 30;
    answered += exchange(second, "a request that is long enough\n") == 30;
  }
  const std::size_t after = allocations;
  CHECK(answered == 2000);
  CHECK(after == before);
}

#endif
