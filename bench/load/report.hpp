#pragma once
// What happened in the measured time, and the one line of JSON that says so. One thread.

#include "load/options.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace bench::load {

/// How a transaction that did not succeed ended.
enum class failure { refused, reset, timed_out, cut_short, other };

[[nodiscard]] failure failure_of(int error) noexcept;

class report {
public:
  /// Nothing is counted before this.
  void start(const options& wanted);
  /// Nothing is counted after this.
  void stop();

  void answered(clock::duration latency);
  void failed(failure how);
  /// An answer whose status is not 200.
  void wrong_status();
  /// A server closed a connection on which no request was under way.
  void closed_when_idle();
  /// All connections were in use when an open-loop start was due.
  void late();

  [[nodiscard]] std::string json() const;

private:
  bool counting_ = false;
  std::vector<std::uint32_t> latencies_ns_;
  std::uint64_t refused_ = 0, reset_ = 0, timed_out_ = 0, cut_short_ = 0, other_ = 0;
  std::uint64_t wrong_status_ = 0, closed_when_idle_ = 0, late_ = 0;
  clock::time_point started_, stopped_;
  std::vector<pid_t> processes_;
  std::int64_t server_cpu_ns_ = 0, client_cpu_ns_ = 0;
};

} // namespace bench::load
