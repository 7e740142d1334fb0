#include <coppice/runtime/caf/actor_loop.hpp>

#include <asio/executor_work_guard.hpp>

namespace coppice {
namespace {

caf::actor_system_config& prepared(caf::actor_system_config& config, asio::io_context& io,
                                   logger& log) {
  loop_scheduler::load(config, io, log);
  return config;
}

} // namespace

actor_loop::actor_loop(asio::io_context& io, logger& log)
    : io_{io},
      log_{log},
      system_{prepared(config_, io, log)},
      scheduler_{loop_scheduler::of(system_)} {
  // Its destructor would wait for them on the only thread that can run them.
  system_.await_actors_before_shutdown(false);
}

actor_loop::~actor_loop() {
  if (running() > 0) log_.debug("end actors: {} are alive and are killed", running());
}

bool actor_loop::finish(std::chrono::milliseconds deadline) {
  const auto until = std::chrono::steady_clock::now() + deadline;
  const auto stay = asio::make_work_guard(io_); // another thread may be what they wait for
  while (running() > 0) {
    if (io_.stopped()) io_.restart();
    io_.run_one_until(until);
    if (running() > 0 && std::chrono::steady_clock::now() >= until) {
      log_.warn("end actors: {} are alive after {} ms", running(), deadline.count());
      return false;
    }
  }
  return true;
}

} // namespace coppice
