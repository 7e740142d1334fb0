#include <coppice/runtime/messages/ask_error.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace coppice {

namespace {

constexpr std::array<std::string_view, 7> names{
    "timeout", "no_such_address", "worker_died", "overloaded", "no_handler", "closed", "cancelled"};

} // namespace

std::string_view to_string(ask_error why) noexcept { return names[static_cast<std::size_t>(why)]; }

ask_error ask_error_named(std::string_view name) noexcept {
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? ask_error::no_handler
                              : static_cast<ask_error>(found - names.begin());
}

} // namespace coppice
