#pragma once
// The name under which ps, top and pgrep show this process.

#include <cstddef>
#include <string_view>

namespace coppice::os {

/// Writes titles over the memory where the kernel has put argv and the environment (what
/// /proc/PID/cmdline shows, proc(5)), and into the thread's name (/proc/PID/comm, 15 characters).
/// The environment's strings are moved away first and stay valid for the rest of the process.
/// Make one, at the beginning of main, before pointers from getenv are kept. `argv`'s strings are
/// overwritten by `set`: copy them before. A forked child goes on with the same object. Not
/// thread-safe.
class process_title {
public:
  process_title(int argc, char** argv);
  process_title(const process_title&) = delete;
  process_title& operator=(const process_title&) = delete;

  /// A title longer than the space (what argv and the environment took) is cut.
  void set(std::string_view title);

private:
  char* area_ = nullptr; // borrowed from the kernel, lives as long as the process
  std::size_t size_ = 0;
};

} // namespace coppice::os
