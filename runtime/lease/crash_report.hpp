#pragma once
// What is kept about a request that workers crash over, so that somebody can find out why. Pure:
// text in, text out; crash_report_store writes it to a file.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace coppice {

struct crash_report {
  std::string pool{};
  std::chrono::system_clock::time_point when{};
  /// The ends of the workers that crashed over it, oldest first: "web/2 (pid 71): SIGSEGV".
  std::vector<std::string> deaths{};
  /// What had been received of it.
  std::string request{};
};

/// The head of an HTTP request as it may be kept: without the values of Authorization,
/// Proxy-Authorization, Cookie and the like, and without its body; what is not printable stands as
/// \xNN. What is no HTTP request is only counted: nobody knows what may be in it.
[[nodiscard]] std::string printable_head(std::string_view request);

[[nodiscard]] std::string to_text(const crash_report& report);

/// The first line of the request, for a line of the log; at most limits::crash_report_line bytes.
[[nodiscard]] std::string first_line(std::string_view request);

} // namespace coppice
