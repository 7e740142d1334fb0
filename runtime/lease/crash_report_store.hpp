#pragma once
// Crash reports as files in a directory: POOL-N.txt, mode 0600, N counting up. Each is written
// aside and renamed, so that no half of one is ever read; the oldest make room for new ones
// (limits::crash_reports_kept).
//
// Not thread-safe; one per directory.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/lease/crash_report.hpp>

#include <cstdint>
#include <string>

namespace coppice {

class crash_report_store {
public:
  /// The directory is made with the first report.
  explicit crash_report_store(std::string directory) : directory_{std::move(directory)} {}

  /// The file's path. Errors: mkdir(2), open(2), write(2), rename(2); then there is no file.
  [[nodiscard]] result<std::string> write(const crash_report& report);

private:
  void look_around();

  std::string directory_;
  std::uint64_t last_ = 0;
  bool looked_ = false;
};

} // namespace coppice
