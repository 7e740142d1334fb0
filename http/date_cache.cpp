#include <coppice/http/date_cache.hpp>
#include <cstdio>

namespace coppice::http {

void date_cache::make(std::time_t now) {
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&now, &utc);
  // Not strftime: its names are those of the locale. The remainders bound what is written.
  std::snprintf(text_.data(), text_.size(), "Date: %s, %02u %s %04u %02u:%02u:%02u GMT\r\n",
                days[utc.tm_wday], static_cast<unsigned>(utc.tm_mday) % 100, months[utc.tm_mon],
                static_cast<unsigned>(utc.tm_year + 1900) % 10000,
                static_cast<unsigned>(utc.tm_hour) % 100, static_cast<unsigned>(utc.tm_min) % 100,
                static_cast<unsigned>(utc.tm_sec) % 100);
  made_ = now;
}

} // namespace coppice::http
