#pragma once
// One run of the load generator: one thread, one epoll set. Throws std::runtime_error if the server
// never answers.

#include "load/options.hpp"

#include <string>

namespace bench::load {

/// Runs for `warm_up` and `seconds` and returns the report's line of JSON.
[[nodiscard]] std::string run(const options& wanted);

} // namespace bench::load
