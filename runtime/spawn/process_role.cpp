#include <coppice/runtime/spawn/process_role.hpp>

#include <coppice/runtime/os/environment.hpp>
#include <coppice/runtime/spawn/boot_letter.hpp>

namespace coppice {

std::optional<process_role> current_role() {
  const auto role = os::take_environment(boot::role);
  if (!role) return process_role::primary;
  if (*role == "zygote") return process_role::zygote;
  if (*role == "worker") return process_role::worker;
  return std::nullopt;
}

} // namespace coppice
