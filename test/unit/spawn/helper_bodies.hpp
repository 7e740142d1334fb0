#pragma once
// What the helper's workers do, by group.

#include <coppice/runtime/spawn/worker_boot.hpp>

namespace coppice::spawn_test {

int run_body(worker_boot boot);

} // namespace coppice::spawn_test
