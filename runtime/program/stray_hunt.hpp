#pragma once
// Ends what a program has left running.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/os/process_watcher.hpp>
#include <coppice/runtime/program/strays.hpp>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coppice {

/// Asks each stray to end (SIGTERM), and kills after limits::stray_grace what is left. The end of
/// one may give us its own children: so it looks again until there are none. `on_done` is called
/// once, from the loop, when nothing is left; it may destroy this, which kills. Loop thread only.
class stray_hunt {
public:
  /// `seen` is what the first look has found, if it was conclusive not nothing.
  stray_hunt(asio::io_context& loop, logger& log, std::string name, std::string mark,
             strays_seen seen, std::function<void()> on_done);
  stray_hunt(const stray_hunt&) = delete;
  stray_hunt& operator=(const stray_hunt&) = delete;
  ~stray_hunt();

  /// Patience is over.
  void kill_all();

private:
  void go_on(strays_seen seen);
  void take(std::vector<stray> found);
  void one_ended();

  asio::io_context& loop_;
  logger& log_;
  std::string name_;
  std::string mark_;
  std::function<void()> on_done_;
  bool killing_ = false;
  std::size_t living_ = 0;
  std::vector<std::unique_ptr<os::process_watcher>> watched_;
  asio::steady_timer patience_;
  asio::steady_timer next_look_;
  std::shared_ptr<stray_hunt*> alive_ = std::make_shared<stray_hunt*>(this);
};

} // namespace coppice
