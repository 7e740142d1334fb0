#include <coppice/runtime/spawn/worker_boot.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/environment.hpp>
#include <coppice/runtime/os/orphan_guard.hpp>
#include <coppice/runtime/os/signal_source.hpp>
#include <coppice/runtime/spawn/boot_letter.hpp>

#include <fcntl.h>
#include <utility>

namespace coppice {
namespace {

/// The descriptor that the primary has put at `number`. It came through exec, so it is not closed
/// on exec yet.
result<os::unique_fd> take_over(int number, const char* what) {
  if (::fcntl(number, F_SETFD, FD_CLOEXEC) != 0)
    return system_failure("take over", std::string{what} + " at " + std::to_string(number));
  return os::unique_fd{number};
}

} // namespace

std::string title_of(std::string_view name) { return "coppice: " + std::string{name}; }

result<worker_boot> boot_exec_worker() {
  const auto text = os::take_environment(boot::worker);
  if (!text) return failure_because("boot worker", boot::worker, "not set");
  auto letter = boot::read_letter(*text);
  if (!letter) return tl::make_unexpected(std::move(letter.error()));
  auto control = take_over(boot::worker_control, "control channel");
  if (!control) return tl::make_unexpected(std::move(control.error()));
  auto data = take_over(boot::worker_data, "data channel");
  if (!data) return tl::make_unexpected(std::move(data.error()));
  auto ledger = take_over(boot::worker_ledger, "ledger");
  if (!ledger) return tl::make_unexpected(std::move(ledger.error()));

  os::reset_signals();
  if (auto guarded = os::die_with_parent(letter->primary, limits::orphan_grace); !guarded)
    return tl::make_unexpected(std::move(guarded.error()));
  return worker_boot{std::move(letter->group), std::move(letter->name), letter->worker_id,
                     letter->incarnation,      *std::move(control),     *std::move(data),
                     *std::move(ledger),       letter->primary};
}

} // namespace coppice
