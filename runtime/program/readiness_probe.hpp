#pragma once
// Knocks at a program until it answers.

#include <coppice/runtime/program/readiness.hpp>

#include <asio/io_context.hpp>
#include <functional>
#include <memory>

namespace coppice {

/// Tries at once, and again and again with limits::probe_rest between; each try may take
/// limits::probe_attempt. It never gives up: whoever starts it has a deadline. `on_ready` is called
/// from the loop, at most once; it may destroy this. Loop thread only.
class readiness_probe {
public:
  readiness_probe(asio::io_context& loop, probe_target target, std::function<void()> on_ready);
  readiness_probe(const readiness_probe&) = delete;
  readiness_probe& operator=(const readiness_probe&) = delete;
  ~readiness_probe();

private:
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace coppice
