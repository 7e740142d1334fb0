#include "load/report.hpp"

#include "support/process_tree.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <limits>
#include <unistd.h>

namespace bench::load {

failure failure_of(int error) noexcept {
  switch (error) {
  case 0:
    return failure::cut_short;
  case ECONNREFUSED:
    return failure::refused;
  case ECONNRESET:
  case EPIPE:
    return failure::reset;
  case ETIMEDOUT:
    return failure::timed_out;
  default:
    return failure::other;
  }
}

void report::start(const options& wanted) {
  latencies_ns_.reserve(1'000'000);
  if (wanted.tree != 0) processes_ = process_tree(wanted.tree);
  server_cpu_ns_ = -cpu_time(processes_);
  client_cpu_ns_ = -cpu_time({::getpid()});
  started_ = clock::now();
  counting_ = true;
}

void report::stop() {
  counting_ = false;
  stopped_ = clock::now();
  client_cpu_ns_ += cpu_time({::getpid()});
  server_cpu_ns_ += cpu_time(processes_);
}

void report::answered(clock::duration latency) {
  if (!counting_) return;
  constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(latency).count();
  latencies_ns_.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(ns, most)));
}

void report::failed(failure how) {
  if (!counting_) return;
  switch (how) {
  case failure::refused:
    ++refused_;
    return;
  case failure::reset:
    ++reset_;
    return;
  case failure::timed_out:
    ++timed_out_;
    return;
  case failure::cut_short:
    ++cut_short_;
    return;
  case failure::other:
    ++other_;
    return;
  }
}

void report::wrong_status() { wrong_status_ += counting_; }
void report::closed_when_idle() { closed_when_idle_ += counting_; }
void report::late() { late_ += counting_; }

std::string report::json() const {
  auto sorted = latencies_ns_;
  std::sort(sorted.begin(), sorted.end());
  const auto quantile_us = [&](double share) {
    if (sorted.empty()) return 0.0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return sorted[std::min(at, sorted.size() - 1)] / 1e3;
  };
  const auto answered = static_cast<double>(sorted.size());
  const auto each_us = [&](std::int64_t ns) {
    return sorted.empty() ? 0.0 : static_cast<double>(ns) / 1e3 / answered;
  };
  const double seconds = std::chrono::duration<double>(stopped_ - started_).count();
  return fmt::format(
      R"({{"ok":{},"rate":{:.1f},"p50_us":{:.1f},"p99_us":{:.1f},"max_us":{:.1f},"failed":{},"refused":{},)"
      R"("reset":{},"timed_out":{},"cut_short":{},"other":{},"wrong_status":{},"closed_when_idle":{},)"
      R"("late":{},"seconds":{:.3f},"client_cpu_us":{:.3f},"server_cpu_us":{:.3f}}})",
      sorted.size(), answered / seconds, quantile_us(.5), quantile_us(.99), quantile_us(1),
      refused_ + reset_ + timed_out_ + cut_short_ + other_, refused_, reset_, timed_out_,
      cut_short_, other_, wrong_status_, closed_when_idle_, late_, seconds, each_us(client_cpu_ns_),
      each_us(server_cpu_ns_));
}

} // namespace bench::load
