#include <coppice/runtime/worker/resident_memory.hpp>

#include <array>
#include <charconv>
#include <coppice/runtime/os/unique_fd.hpp>
#include <cstddef>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace coppice {

std::uint64_t resident_memory() noexcept {
  const os::unique_fd file{::open("/proc/self/statm", O_RDONLY | O_CLOEXEC)};
  if (!file) return 0;
  std::array<char, 128> text; // "size resident shared ...", in pages
  const auto n = ::read(file.get(), text.data(), text.size());
  if (n <= 0) return 0;
  const std::string_view line{text.data(), static_cast<std::size_t>(n)};
  const auto second = line.find(' ');
  if (second == line.npos) return 0;
  std::uint64_t pages = 0;
  std::from_chars(line.data() + second + 1, line.data() + line.size(), pages);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace coppice
