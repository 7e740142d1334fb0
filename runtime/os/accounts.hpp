#pragma once
// Numbers of users and groups, by their names (getpwnam_r(3), getgrnam_r(3)).

#include <coppice/runtime/error.hpp>

#include <string>
#include <sys/types.h>

namespace coppice::os {

/// A name of the user database, or a number. Blocks. The error's verb is "look up", its object
/// "user NAME".
[[nodiscard]] result<uid_t> user_id(const std::string& name);
/// The same for groups.
[[nodiscard]] result<gid_t> group_id(const std::string& name);

} // namespace coppice::os
