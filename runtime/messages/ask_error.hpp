#pragma once
// Why an ask has no answer.

#include <string_view>

namespace coppice {

enum class ask_error {
  timeout,         ///< none came in time; the worker may still be at it
  no_such_address, ///< nobody has this address, or nobody any more
  worker_died,     ///< the process that had been given it is dead
  overloaded,      ///< too much waits for that worker
  no_handler,      ///< it has none for this type, or the handler has failed
  closed,          ///< the asker's own channel to the primary is closed
  cancelled,       ///< the operation was cancelled
};

/// "worker_died": on the wire, and in logs.
[[nodiscard]] std::string_view to_string(ask_error why) noexcept;
/// What a later version might say that is not known here counts as no_handler.
[[nodiscard]] ask_error ask_error_named(std::string_view name) noexcept;

} // namespace coppice
