#include <coppice/runtime/log.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <mutex>
#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace coppice {
namespace {

/// Writes lines to standard error, and never waits for whoever reads them: a pager that is not
/// looked at, a log collector that hangs. What finds no room is dropped, counted, and said when
/// there is room again.
class patient_sink final : public spdlog::sinks::base_sink<std::mutex> {
protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (dropped_ > 0) {
      const auto said = fmt::format("{} lines dropped: standard error is not read\n", dropped_);
      if (!put(said)) return void(++dropped_);
      dropped_ = 0;
    }
    if (!put({line.data(), line.size()})) ++dropped_;
  }
  void flush_() override {}

private:
  /// A pipe that poll(2) calls writable takes PIPE_BUF bytes at once (pipe(7)).
  static bool put(std::string_view text) {
    while (!text.empty()) {
      pollfd out{STDERR_FILENO, POLLOUT, 0};
      if (::poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return false;
      const auto n =
          ::write(STDERR_FILENO, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  std::uint64_t dropped_ = 0;
};

class stderr_logger final : public logger {
public:
  stderr_logger(std::string who, log_level threshold)
      : logger{threshold},
        out_{std::move(who), std::make_shared<patient_sink>()} {
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
