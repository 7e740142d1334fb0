#pragma once
// What a program prints, as lines for a log: bounded in length, and in number per second, with a
// count of what was left out. Pure.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace coppice {

class captured_lines {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using sink = std::function<void(std::string_view line)>;

  explicit captured_lines(sink to) : to_{std::move(to)} {}

  /// Bytes as they come. Lines that are complete go out, without their end; characters that could
  /// steer a terminal become '?'. What is longer than limits::captured_line goes out as far as
  /// that, with "..." behind it, and the rest of the line is left out.
  void take(std::string_view bytes, time_point now);
  /// The end: what has no end of line goes out, too, and what was left out is said.
  void finish(time_point now);

  /// Lines left out since the last time that it was said.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

private:
  void append(std::string_view bytes);
  void end_line(time_point now);
  void say_dropped();

  sink to_;
  std::string line_;
  bool cut_ = false; ///< the present line is too long
  time_point second_begins_{};
  std::size_t lines_in_second_ = 0;
  std::uint64_t dropped_ = 0;
};

} // namespace coppice
