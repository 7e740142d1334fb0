#pragma once
// The main function of a program built with coppice. The same executable is primary, zygote and
// worker: `run` reads its part from the environment that the primary sets, so everything before it
// in main runs in each of them.

#include <coppice/actors/spec.hpp>

namespace coppice {

/// Runs the service until it is told to stop, and returns the exit code for main:
/// 0 after SIGTERM, SIGINT or SIGQUIT (connections in progress finish; a second signal hurries, a
/// third kills); 1 if an endpoint could not be bound, a worker failed at boot, or the tree gave up;
/// 2 if the spec is wrong: every mistake is named on standard error, and nothing was started.
/// Call it once, before the process has a second thread. Takes the process's signals and its
/// COPPICE_ variables.
[[nodiscard]] int run(int argc, char** argv, service_spec spec);

} // namespace coppice
