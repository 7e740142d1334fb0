#include <coppice/runtime/program/orphan_reaper.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/program/strays.hpp>

#include <algorithm>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace coppice {
namespace {

bool is_zombie(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT | __WALL) ==
             0 &&
         info.si_pid == pid;
}

bool any_zombie() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 && info.si_pid != 0;
}

} // namespace

orphan_reaper::orphan_reaper(asio::io_context& loop) : timer_{loop} { plan(); }

void orphan_reaper::plan() {
  timer_.expires_after(limits::orphan_sweep);
  timer_.async_wait([alive = std::weak_ptr{alive_}](const std::error_code& stopped) {
    const auto self = alive.lock();
    if (!self || stopped) return;
    (*self)->sweep();
    (*self)->plan();
  });
}

void orphan_reaper::sweep() {
  std::vector<pid_t> zombies;
  if (any_zombie())
    for (const pid_t pid : children_of_this_process())
      if (is_zombie(pid)) zombies.push_back(pid);
  std::sort(zombies.begin(), zombies.end());
  for (const pid_t pid : zombies) {
    if (!std::binary_search(seen_.begin(), seen_.end(), pid)) continue;
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | __WALL) == 0) ++reaped_;
  }
  seen_ = std::move(zombies);
}

void become_subreaper() noexcept { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

} // namespace coppice
