#pragma once
// The environment as a letter to this process: read once, then gone.

#include <optional>
#include <string>

namespace coppice::os {

/// The value of `name`, which is unset: programs that this process starts must not take a letter
/// for their own and believe, say, that they are a worker. Nothing if it was not set. Not
/// thread-safe (setenv(3)): call it before threads exist.
[[nodiscard]] std::optional<std::string> take_environment(const char* name);

} // namespace coppice::os
