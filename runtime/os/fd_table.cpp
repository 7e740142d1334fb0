#include <coppice/runtime/os/fd_table.hpp>

#include <algorithm>
#include <cstdlib>
#include <dirent.h>
#include <memory>
#include <sys/syscall.h>
#include <unistd.h>

namespace coppice::os {
namespace {

bool close_from_to(unsigned first, unsigned last) {
  return first > last || ::syscall(SYS_close_range, first, last, 0U) == 0;
}

void close_one_by_one(std::span<const int> sorted_keep) {
  for (const int fd : open_descriptors())
    if (!std::binary_search(sorted_keep.begin(), sorted_keep.end(), fd)) ::close(fd);
}

} // namespace

std::vector<int> open_descriptors() {
  std::vector<int> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> list{::opendir("/proc/self/fd"), ::closedir};
  if (!list) return found;
  const int own = ::dirfd(list.get());
  while (const dirent* entry = ::readdir(list.get())) {
    char* end = nullptr;
    const long fd = std::strtol(entry->d_name, &end, 10);
    if (*end == '\0' && end != entry->d_name && fd != own) found.push_back(static_cast<int>(fd));
  }
  std::sort(found.begin(), found.end());
  return found;
}

void close_all_but(std::span<const int> sorted_keep) {
  unsigned first = 0;
  for (const int fd : sorted_keep) {
    if (fd < 0) continue;
    const auto kept = static_cast<unsigned>(fd);
    if (kept > first && !close_from_to(first, kept - 1)) return close_one_by_one(sorted_keep);
    first = std::max(first, kept + 1);
  }
  if (!close_from_to(first, ~0U)) close_one_by_one(sorted_keep);
}

} // namespace coppice::os
