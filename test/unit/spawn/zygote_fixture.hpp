#pragma once
// A zygote_spawner over the helper program, and what every test of it looks at in the end.

#include "spawn_fixture.hpp"

#include <coppice/runtime/spawn/zygote_spawner.hpp>

#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coppice::spawn_test {

inline zygote_options helper(std::vector<std::string> words = {},
                             std::optional<fork_way> way = {}) {
  words.insert(words.begin(), "helper");
  return {SPAWN_HELPER, std::move(words), way};
}

inline std::vector<fork_way> ways() {
  if (best_fork_way() == fork_way::double_fork) return {fork_way::double_fork};
  return {fork_way::clone, fork_way::double_fork};
}

struct zygote_fixture : spawn_fixture {
  std::optional<zygote_spawner> zygote;
  explicit zygote_fixture(zygote_options options) { zygote.emplace(loop, log, std::move(options)); }

  pid_t started() {
    std::optional<result<void>> how;
    zygote->start([&](result<void> done) { how = std::move(done); });
    CHECK_FALSE(how);
    test::run_until(loop, [&] { return how.has_value(); });
    REQUIRE(how->has_value());
    return *zygote->zygote_pid();
  }
  void kill_zygote() {
    // Ours and not yet reaped, or there would be no pid.
    if (const auto pid = zygote->zygote_pid()) ::kill(*pid, SIGKILL);
  }
  /// A living worker, which has spoken once and only once, for each request.
  void check_all_answered() {
    for (auto& each : all) {
      CHECK(each.answers == 1);
      INFO((each.failed ? each.failed->message() : ""));
      REQUIRE(each.child);
      CHECK(field(each.hears(), "pid") == std::to_string(each.child->pid()));
      CHECK_FALSE(hear(each.control.get(), 0)); // nobody else is on this channel
    }
    for (auto& each : all) each.lets_go();
    all.clear();
  }
  void check_nothing_left() {
    zygote.reset();
    test::run_ready(loop);
    CHECK(test::has_no_children());
  }
};

} // namespace coppice::spawn_test
