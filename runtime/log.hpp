#pragma once
// The project's own small log interface. It is passed in, never global. What stands behind it is
// chosen where the process starts (`make_stderr_logger`); tests pass one that keeps lines.
//
// Thread-safety: `write` of the loggers made here may be called from any thread.

#include <fmt/core.h>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace coppice {

enum class log_level { trace, debug, info, warn, error, off };

/// "info", "warn", ...
[[nodiscard]] std::string_view to_string(log_level level) noexcept;

class logger {
public:
  explicit logger(log_level threshold = log_level::info) noexcept : threshold_{threshold} {}
  logger(const logger&) = delete;
  logger& operator=(const logger&) = delete;
  virtual ~logger() = default;

  [[nodiscard]] bool enabled(log_level level) const noexcept { return level >= threshold_; }
  void threshold(log_level level) noexcept { threshold_ = level; }

  template <class... Ts>
  void debug(fmt::format_string<Ts...> text, Ts&&... args) {
    log(log_level::debug, text, std::forward<Ts>(args)...);
  }
  template <class... Ts>
  void info(fmt::format_string<Ts...> text, Ts&&... args) {
    log(log_level::info, text, std::forward<Ts>(args)...);
  }
  template <class... Ts>
  void warn(fmt::format_string<Ts...> text, Ts&&... args) {
    log(log_level::warn, text, std::forward<Ts>(args)...);
  }
  template <class... Ts>
  void error(fmt::format_string<Ts...> text, Ts&&... args) {
    log(log_level::error, text, std::forward<Ts>(args)...);
  }

protected:
  /// One whole line, without its end. Never throws: what cannot be written is dropped.
  virtual void write(log_level level, std::string_view line) noexcept = 0;

private:
  template <class... Ts>
  void log(log_level level, fmt::format_string<Ts...> text, Ts&&... args) {
    if (enabled(level)) write(level, fmt::format(text, std::forward<Ts>(args)...));
  }

  log_level threshold_;
};

/// Lines to standard error: time, level, `who`, text. `who` is the process: "primary", "web/2".
[[nodiscard]] std::unique_ptr<logger> make_stderr_logger(std::string who,
                                                         log_level threshold = log_level::info);

} // namespace coppice
