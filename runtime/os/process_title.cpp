#include <coppice/runtime/os/process_title.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>

namespace coppice::os {
namespace {

/// Where the strings of `list` end that follow `end` without a gap.
char* end_of_contiguous(char** list, char* end) {
  for (; *list != nullptr && *list == end; ++list) end = *list + std::strlen(*list) + 1;
  return end;
}

/// Gives every variable of the environment a new home. It is never freed: getenv's callers keep
/// pointers into it, and the last of them may be an exit handler.
void move_environment() {
  std::size_t size = 0;
  for (char** entry = environ; *entry != nullptr; ++entry) size += std::strlen(*entry) + 1;
  if (size == 0) return;
  static char* home = nullptr; // only so that leak checkers see the block as reachable
  home = new char[size];
  char* next = home;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::size_t length = std::strlen(*entry) + 1;
    std::memcpy(next, *entry, length);
    *entry = next;
    next += length;
  }
}

} // namespace

process_title::process_title(int argc, char** argv) {
  if (argc <= 0 || argv == nullptr || argv[0] == nullptr) return;
  area_ = argv[0];
  char* end = end_of_contiguous(argv, area_);
  if (environ != nullptr && *environ != nullptr && *environ == end) {
    end = end_of_contiguous(environ, end);
    move_environment();
  }
  size_ = static_cast<std::size_t>(end - area_);
}

void process_title::set(std::string_view title) {
  const std::string name{title.substr(0, 15)};
  ::prctl(PR_SET_NAME, name.c_str());
  if (size_ == 0) return;
  // The rest becomes zeros: a byte other than zero at the end of argv is how the kernel knows that
  // a title may go on into the environment, and the first zero is then its end (proc_pid_cmdline).
  const std::size_t length = std::min(title.size(), size_ - 1);
  std::memcpy(area_, title.data(), length);
  std::memset(area_ + length, 0, size_ - length);
}

} // namespace coppice::os
