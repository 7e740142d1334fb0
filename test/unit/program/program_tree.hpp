#pragma once
// A whole tree of programs and actors, for tests, and what they leave for the tests to see.

#include "support/catch.hpp"
#include "support/log_lines.hpp"
#include "support/temporary_directory.hpp"
#include "unit/os/processes.hpp"

#include <coppice/actors/primary.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/os/signal_source.hpp>

#include <asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coppice::test {

using namespace std::chrono_literals;

/// It takes numbers, and does nothing with them.
struct silent_actor {
  caf::event_based_actor* self;
  caf::behavior make_behavior() {
    return {[](int) {}};
  }
};

/// How often a program has begun that counts in `file`.
inline std::size_t starts(const std::string& file) {
  std::error_code none;
  const auto size = std::filesystem::file_size(file, none);
  return none ? 0 : static_cast<std::size_t>(size);
}

/// A helper that is started again after a millisecond.
inline program helper(std::string name, std::vector<std::string> words) {
  program it{std::move(name), PROGRAM_HELPER, std::move(words)};
  it.backoff({.first = 1ms, .max = 10ms, .stable_after = 1h});
  return it;
}

class tree {
public:
  explicit tree(std::vector<child> children, restart_strategy strategy = one_for_one) {
    os::reset_signals();
    service_spec spec;
    spec.name = "test";
    spec.spawn = spawn_method::exec; // no zygote: there are no workers
    spec.intensity = {.restarts = 50, .period = 60s};
    spec.strategy = strategy;
    spec.children = std::move(children);
    spec.on_ready = [this](const service_started&) { up_ = true; };
    const auto wrong = validate(spec);
    INFO((wrong.empty() ? "" : wrong.front()));
    REQUIRE(wrong.empty());
    primary_.emplace(io_, std::move(spec), log_, primary_options{});
    REQUIRE(primary_->start([this](int code) { code_ = code; }));
  }
  ~tree() { primary_.reset(); }

  void until_up() {
    test::run_until(io_, [&] { return up_ || code_; });
    INFO(log_text());
    REQUIRE(up_);
  }
  void until_logged(std::string_view text) {
    INFO(text << " in " << log_text());
    test::run_until(io_, [&] { return log_.has(text); });
  }
  void until(const std::function<bool()>& so) { test::run_until(io_, so); }
  int stop() {
    primary_->stop();
    return until_ended();
  }
  int until_ended() {
    test::run_until(io_, [&] { return code_.has_value(); });
    return *code_;
  }
  [[nodiscard]] bool logged(std::string_view text) const { return log_.has(text); }
  [[nodiscard]] std::string log_text() const {
    std::string all;
    for (const auto& line : log_.lines()) all += line + "\n";
    return all;
  }
  /// From the picture of the tree when all was up: "cache  program  up  pid 71".
  [[nodiscard]] pid_t pid_of(const std::string& name) const {
    const auto text = log_text();
    const auto at = text.find(name + "  program  up  pid ");
    REQUIRE(at != std::string::npos);
    return std::atoi(text.c_str() + text.find("pid ", at) + 4);
  }
  [[nodiscard]] supervisor_calls calls() { return primary_->supervisors(); }
  /// The root's children as they are now.
  [[nodiscard]] std::vector<child_info> children() {
    std::optional<std::vector<child_info>> all;
    calls().which_children("", [&](const auto& said) { all = said.value(); });
    until([&] { return all.has_value(); });
    return *all;
  }
  [[nodiscard]] child_info child_named(const std::string& id) {
    for (child_info& each : children())
      if (each.id == id) return std::move(each);
    return {};
  }

private:
  asio::io_context io_{1};
  test::log_lines log_;
  bool up_ = false;
  std::optional<int> code_;
  std::optional<primary> primary_;
};

} // namespace coppice::test
