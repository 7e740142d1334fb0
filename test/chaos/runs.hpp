#pragma once
// What the handlers of storm_service have done, request by request, in a file that all its workers
// and the test map. A worker's death loses nothing of it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <new>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace coppice::test {

/// One request, by the number that its client gave it. One worker at a time writes it.
struct run_entry {
  std::atomic<std::uint32_t> runs;    ///< how often a handler has begun with it
  std::atomic<std::uint32_t> attempt; ///< the last one's request::attempt
  std::atomic<std::uint32_t> wrong;   ///< a run whose attempt was not above the one before
  std::uint32_t reserved;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "words that processes share");

class run_file {
public:
  static constexpr std::size_t most = 4'000'000;

  /// Makes or opens it: zeroed, and without memory where nothing was written.
  explicit run_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::ftruncate(fd, size) != 0) throw std::runtime_error{"run_file " + path};
    at_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (at_ == MAP_FAILED) throw std::runtime_error{"mmap " + path};
  }
  run_file(const run_file&) = delete;
  run_file& operator=(const run_file&) = delete;
  ~run_file() { ::munmap(at_, size); }

  [[nodiscard]] run_entry& operator[](std::uint64_t id) const {
    return static_cast<run_entry*>(at_)[id % most];
  }
  /// A handler begins: which run of this request it is.
  [[nodiscard]] std::uint32_t begin(std::uint64_t id, unsigned attempt) const {
    run_entry& entry = (*this)[id];
    const auto run = entry.runs.fetch_add(1) + 1;
    if (entry.attempt.exchange(attempt) >= attempt) entry.wrong.store(1);
    return run;
  }

private:
  static constexpr std::size_t size = most * sizeof(run_entry);
  void* at_ = nullptr;
};

/// Byte `at` of the answer to request `id` by its run `run`: each answer differs from all others,
/// and each place from its neighbours.
[[nodiscard]] inline char answer_byte(std::uint64_t id, std::uint32_t run, std::size_t at) {
  const std::uint64_t mixed =
      (id * 0x9e3779b97f4a7c15u + run * 0xbf58476d1ce4e5b9u) ^ (at * 0x94d049bb133111ebu);
  return static_cast<char>('!' + (mixed >> 40) % 90);
}
inline void append_answer(std::string& to, std::uint64_t id, std::uint32_t run, std::size_t from,
                          std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) to.push_back(answer_byte(id, run, from + i));
}

/// What a request's content is: told back, so that a byte lost on the way in is seen.
[[nodiscard]] inline std::uint64_t digest(std::string_view bytes) {
  std::uint64_t sum = 1469598103934665603u; // FNV-1a
  for (const char c : bytes) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return sum;
}

} // namespace coppice::test
