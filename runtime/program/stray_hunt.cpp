#include <coppice/runtime/program/stray_hunt.hpp>

#include <coppice/runtime/limits.hpp>

#include <asio/post.hpp>
#include <csignal>
#include <utility>

namespace coppice {

stray_hunt::stray_hunt(asio::io_context& loop, logger& log, std::string name, std::string mark,
                       strays_seen seen, std::function<void()> on_done)
    : loop_{loop},
      log_{log},
      name_{std::move(name)},
      mark_{std::move(mark)},
      on_done_{std::move(on_done)},
      patience_{loop},
      next_look_{loop} {
  patience_.expires_after(limits::stray_grace);
  patience_.async_wait([alive = std::weak_ptr{alive_}](const std::error_code& stopped) {
    if (auto self = alive.lock(); self && !stopped) (*self)->kill_all();
  });
  go_on(std::move(seen));
}

stray_hunt::~stray_hunt() = default;

void stray_hunt::take(std::vector<stray> found) {
  watched_.clear();
  living_ = found.size();
  for (auto& each : found) {
    log_.warn(
        "{}: left process {} ({}) running; it is ended. A program must stay in the foreground "
        "to be supervised",
        name_, each.process.pid(), each.name);
    (void)each.process.signal(killing_ ? SIGKILL : SIGTERM);
    (void)each.process.signal(SIGCONT); // one that is stopped hears nothing until then
    watched_.push_back(std::make_unique<os::process_watcher>(
        loop_, std::move(each.process), [this](os::exit_status) { one_ended(); }));
  }
}

void stray_hunt::kill_all() {
  killing_ = true;
  for (const auto& each : watched_) (void)each->process().signal(SIGKILL);
}

void stray_hunt::one_ended() {
  if (--living_ > 0) return;
  // Not from inside of a watcher's handler: they go now.
  asio::post(loop_, [alive = std::weak_ptr{alive_}] {
    const auto self = alive.lock();
    if (!self) return;
    auto& hunt = **self;
    hunt.go_on(look_for_strays(hunt.mark_));
  });
}

void stray_hunt::go_on(strays_seen seen) {
  if (!seen.strays.empty()) return take(std::move(seen.strays));
  if (seen.conclusive || killing_) { // what takes longer to end than our patience is left alone
    patience_.cancel();
    const auto done = std::exchange(on_done_, nullptr);
    return done();
  }
  next_look_.expires_after(limits::stray_look);
  next_look_.async_wait([alive = std::weak_ptr{alive_}](const std::error_code& stopped) {
    if (auto self = alive.lock(); self && !stopped) (*self)->go_on(look_for_strays((*self)->mark_));
  });
}

} // namespace coppice
