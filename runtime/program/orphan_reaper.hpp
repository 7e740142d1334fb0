#pragma once
// Reaps processes that this one has inherited and nobody waits for: as a child subreaper, or as
// process 1 of a container. Without it they stay zombies for ever.

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <sys/types.h>
#include <vector>

namespace coppice {

/// Looks every limits::orphan_sweep, which is one system call while there is no zombie. A zombie
/// that is there for the second time is nobody's: whoever owns a child reaps it as soon as the loop
/// has its turn. Loop thread only.
class orphan_reaper {
public:
  explicit orphan_reaper(asio::io_context& loop);
  orphan_reaper(const orphan_reaper&) = delete;
  orphan_reaper& operator=(const orphan_reaper&) = delete;

  /// One look, as the timer takes it.
  void sweep();
  [[nodiscard]] std::size_t reaped() const noexcept { return reaped_; }

private:
  void plan();

  asio::steady_timer timer_;
  std::vector<pid_t> seen_; ///< zombies of the sweep before, ascending
  std::size_t reaped_ = 0;
  std::shared_ptr<orphan_reaper*> alive_ = std::make_shared<orphan_reaper*>(this);
};

/// Makes this process the one to which its descendants' orphans go.
void become_subreaper() noexcept;

} // namespace coppice
