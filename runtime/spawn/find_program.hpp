#pragma once
// Finds a program by name, as a shell does.

#include <coppice/runtime/error.hpp>

#include <string>
#include <vector>

namespace coppice {

/// `name` itself if it has a slash; else the first executable file of that name in the PATH of
/// `environment` ("NAME=value" each). No PATH: /usr/local/bin, /usr/bin and /bin. Errors: verb
/// "start", object the name, ENOENT; EACCES if there was one, but not to be executed.
[[nodiscard]] result<std::string> find_program(const std::string& name,
                                               const std::vector<std::string>& environment);

} // namespace coppice
