#include <coppice/runtime/log.hpp>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace coppice {
namespace {

class stderr_logger final : public logger {
public:
  stderr_logger(std::string who, log_level threshold)
      : logger{threshold},
        out_{std::move(who), std::make_shared<spdlog::sinks::stderr_sink_mt>()} {
    out_.set_pattern("%Y-%m-%dT%H:%M:%S.%e %l [%n] %v");
    out_.set_level(spdlog::level::trace);
    out_.set_error_handler(
        [](const std::string&) {}); // a full disk must not become a loop of errors
  }

protected:
  void write(log_level level, std::string_view line) noexcept override {
    try {
      out_.log(spdlog_level(level), "{}", line);
      out_.flush();
    } catch (...) { // nothing is left to say it with
    }
  }

private:
  static spdlog::level::level_enum spdlog_level(log_level level) noexcept {
    switch (level) {
    case log_level::trace:
      return spdlog::level::trace;
    case log_level::debug:
      return spdlog::level::debug;
    case log_level::info:
      return spdlog::level::info;
    case log_level::warn:
      return spdlog::level::warn;
    case log_level::error:
      return spdlog::level::err;
    case log_level::off:
      break;
    }
    return spdlog::level::off;
  }

  spdlog::logger out_;
};

} // namespace

std::string_view to_string(log_level level) noexcept {
  switch (level) {
  case log_level::trace:
    return "trace";
  case log_level::debug:
    return "debug";
  case log_level::info:
    return "info";
  case log_level::warn:
    return "warn";
  case log_level::error:
    return "error";
  case log_level::off:
    break;
  }
  return "off";
}

std::unique_ptr<logger> make_stderr_logger(std::string who, log_level threshold) {
  return std::make_unique<stderr_logger>(std::move(who), threshold);
}

} // namespace coppice
