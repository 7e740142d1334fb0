#pragma once
// The primary: opens the endpoints, starts the zygote, and runs the supervision tree of a service
// on an io_context that the caller drives. `run` is this and a main function's other duties; tests
// and programs with a loop of their own use it directly.
//
// Thread-safety: none; all calls on the thread that runs the io_context (concurrency hint 1), which
// must be the thread that made the primary: a worker's parent-death signal follows that thread.
// Destroy it before the io_context, and not from inside its callbacks.

#include <asio/io_context.hpp>
#include <coppice/actors/spec.hpp>
#include <coppice/runtime/error.hpp>
#include <coppice/runtime/log.hpp>
#include <coppice/runtime/net/inherited_sockets.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coppice {

struct primary_options {
  /// The program that is zygote and worker too. Default: this one, even if its file has been
  /// replaced since.
  std::string executable = "/proc/self/exe";
  /// Where crash reports are kept, in a directory of its own; empty: they are not.
  std::string state_dir{};
  /// Its arguments, argv[0] included; the worker processes run main with the same ones.
  std::vector<std::string> argv;
  /// Where endpoints fd://NAME are looked up.
  inherited_sockets inherited{};
};

class primary {
public:
  /// The spec must be valid (see validate).
  primary(asio::io_context& io, service_spec spec, logger& log, primary_options options);
  primary(const primary&) = delete;
  primary& operator=(const primary&) = delete;
  /// Kills what still runs.
  ~primary();

  /// Binds every endpoint, then starts the tree. An error names the endpoint and the reason, and
  /// nothing runs then. `on_end` is called once, when everything has ended: 0 after stop(), 1 if
  /// the tree gave up or could not start.
  [[nodiscard]] result<void> start(std::function<void(int exit_code)> on_end);

  /// The first call accepts what waits, closes the endpoints, drains and stops in reverse start
  /// order; the second hurries (limits::hurried_stop); the third kills.
  void stop();

  /// With their real ports, in the order of the spec.
  [[nodiscard]] std::vector<std::string> endpoints() const;

  /// To ask the supervisors of the running tree; see supervisor_calls.hpp. Calls before the tree is
  /// started are refused with shutting_down.
  [[nodiscard]] supervisor_calls supervisors() const;

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace coppice
