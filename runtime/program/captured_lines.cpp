#include <coppice/runtime/program/captured_lines.hpp>

#include <coppice/runtime/limits.hpp>

#include <algorithm>
#include <fmt/format.h>

namespace coppice {

void captured_lines::take(std::string_view bytes, time_point now) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    append(bytes.substr(0, end));
    if (end == bytes.npos) return;
    end_line(now);
    bytes.remove_prefix(end + 1);
  }
}

void captured_lines::finish(time_point now) {
  if (!line_.empty()) end_line(now);
  say_dropped();
}

void captured_lines::append(std::string_view bytes) {
  const auto room = limits::captured_line - line_.size();
  if (bytes.size() > room) cut_ = true;
  for (const char c : bytes.substr(0, room)) {
    const auto code = static_cast<unsigned char>(c);
    line_ += (code < 0x20 && c != '\t' && c != '\r') || code == 0x7f ? '?' : c;
  }
}

void captured_lines::end_line(time_point now) {
  if (now - second_begins_ >= std::chrono::seconds{1}) {
    second_begins_ = now;
    lines_in_second_ = 0;
    say_dropped();
  }
  if (++lines_in_second_ > limits::captured_lines_per_second) {
    ++dropped_;
  } else {
    if (line_.ends_with('\r')) line_.pop_back();
    std::replace(line_.begin(), line_.end(), '\r', '?');
    if (cut_) line_ += "...";
    to_(line_);
  }
  line_.clear();
  cut_ = false;
}

void captured_lines::say_dropped() {
  if (dropped_ == 0) return;
  to_(fmt::format("({} lines left out: more than {} in a second)", dropped_,
                  limits::captured_lines_per_second));
  dropped_ = 0;
}

} // namespace coppice
