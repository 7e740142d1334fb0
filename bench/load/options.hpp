#pragma once
// What a run of the load generator is to do. A plain value.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace bench::load {

using clock = std::chrono::steady_clock;

struct options {
  std::uint16_t port = 0;       ///< of the server, on 127.0.0.1
  std::size_t connections = 64; ///< in use at a time
  bool keep_alive = false;      ///< many requests on a connection, or one on each
  std::string path = "/";       ///< what is asked for
  double seconds = 3;           ///< measured time
  double warm_up = 0.5;         ///< seconds before it that do not count
  double rate = 0; ///< starts a second (open loop); 0: the next when one has ended (closed loop)
  std::chrono::milliseconds timeout{2000}; ///< a transaction that takes longer has failed
  pid_t tree = 0; ///< measure the CPU time of this process and its descendants; 0: do not
};

} // namespace bench::load
