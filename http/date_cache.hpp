#pragma once
// The Date field, made once a second: not by a timer, but when it is asked for and the second has
// changed. Pure: the time is an argument. Thread-safety: none.

#include <array>
#include <cstddef>
#include <ctime>
#include <string_view>

namespace coppice::http {

class date_cache {
public:
  /// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" (IMF-fixdate, RFC 9110, 5.6.7). Valid until the next
  /// call.
  [[nodiscard]] std::string_view line(std::time_t now) {
    if (now != made_) make(now);
    return {text_.data(), size};
  }

private:
  static constexpr std::size_t size = 37;
  void make(std::time_t now);

  std::time_t made_ = -1;
  std::array<char, size + 1> text_{};
};

} // namespace coppice::http
