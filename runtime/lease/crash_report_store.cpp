#include <coppice/runtime/lease/crash_report_store.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coppice {
namespace {

constexpr std::string_view suffix = ".txt";

/// N of POOL-N.txt.
std::optional<std::uint64_t> number_of(std::string_view name) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos || !name.ends_with(suffix)) return std::nullopt;
  const std::string_view digits = name.substr(dash + 1, name.size() - dash - 1 - suffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

result<void> write_file(const std::string& path, std::string_view text) {
  const os::unique_fd file{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return system_failure("open", path);
  while (!text.empty()) {
    const auto n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_failure("write", path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

} // namespace

result<std::string> crash_report_store::write(const crash_report& report) {
  if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST)
    return system_failure("mkdir", directory_);
  if (!std::exchange(looked_, true)) look_around();
  const std::string path =
      directory_ + "/" + report.pool + "-" + std::to_string(last_ + 1) + std::string{suffix};
  const std::string aside = path + ".new";
  auto done = write_file(aside, to_text(report));
  if (done && ::rename(aside.c_str(), path.c_str()) != 0) done = system_failure("rename", aside);
  if (!done) {
    ::unlink(aside.c_str());
    return tl::unexpected{done.error()};
  }
  ++last_;
  look_around();
  return path;
}

/// Where the numbers go on, and what is too old.
void crash_report_store::look_around() {
  std::vector<std::pair<std::uint64_t, std::filesystem::path>> all;
  std::error_code ignored; // whoever cannot be removed is tried again with the next report
  for (const auto& entry : std::filesystem::directory_iterator{directory_, ignored})
    if (const auto number = number_of(entry.path().filename().string()))
      all.emplace_back(*number, entry.path());
  std::ranges::sort(all);
  if (!all.empty()) last_ = std::max(last_, all.back().first);
  for (std::size_t i = 0; i + limits::crash_reports_kept < all.size(); ++i)
    std::filesystem::remove(all[i].second, ignored);
}

} // namespace coppice
