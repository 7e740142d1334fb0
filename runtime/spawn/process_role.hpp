#pragma once
// Which part of the tree this process is. The same executable is all of them.

#include <optional>

namespace coppice {

enum class process_role { primary, zygote, worker };

/// From COPPICE_ROLE, which is taken out of the environment: ask once, at the beginning of main.
/// Not set: the primary. Nothing if it is set to something else.
[[nodiscard]] std::optional<process_role> current_role();

} // namespace coppice
