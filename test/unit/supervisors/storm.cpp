#include "storm.hpp"

#include <algorithm>
#include <exception>
#include <fmt/format.h>
#include <sstream>

namespace coppice::test {
namespace {

class storm {
public:
  explicit storm(const storm_plan& plan) : plan_{plan}, random_{plan.seed} {
    spec_.parallel_start = one_in(2);
    spec_.max_starting = static_cast<unsigned>(1 + below(4));
    spec_.strategy = one_in(3) ? one_for_all : one_in(2) ? rest_for_one : one_for_one;
    spec_.on_exceeded = spec_.strategy == one_for_one && one_in(2) ? degrade : escalate;
    spec_.auto_shutdown = one_in(8)   ? auto_shutdown_policy::any_significant
                          : one_in(4) ? auto_shutdown_policy::all_significant
                                      : auto_shutdown_policy::never;
    spec_.intensity = {static_cast<unsigned>(below(200)),
                       std::chrono::milliseconds{1 + below(20'000)}};
    for (std::uint64_t i = 0, n = 1 + below(9); i < n; ++i)
      if (child_spec child = random_child("c" + std::to_string(i)); i < plan.children)
        children_.push_back(std::move(child));
    const child_spec each = random_child("d");
    const auto initial = static_cast<unsigned>(below(4));
    if (one_in(3) && spec_.strategy == one_for_one && !without(storm_plan::template_of_children))
      template_ = child_template{each, std::min(initial, static_cast<unsigned>(plan.children)), 6};
    habits_ = {.start = {0ms, std::chrono::milliseconds{below(100)}},
               .life = {0ms, std::chrono::milliseconds{1 + below(20'000)}},
               .stop = {0ms, std::chrono::milliseconds{below(1'000)}},
               .fails_to_start = one_in(2) ? share(0.1) : 0,
               .never_ready = one_in(2) ? share(0.05) : 0,
               .dies_in_start = one_in(2) ? share(0.1) : 0,
               .ends_well = share(0.5),
               .useful = share(1),
               .ignores_stop = share(0.3),
               .retires = one_in(2) ? share(0.5) : 0,
               .says_it_twice = share(0.5)};
    length_ = std::chrono::milliseconds{std::min(1'000 * (1 + below(1800)), plan.length_ms)};
    how_it_ends_ = below(4);
    between_calls_ = std::chrono::milliseconds{100 + below(60'000)};
    if (without(storm_plan::twice)) habits_.says_it_twice = 0;
    if (without(storm_plan::stubborn)) habits_.ignores_stop = 0;
    if (without(storm_plan::never_ready)) habits_.never_ready = 0;
    if (without(storm_plan::dies_in_start)) habits_.dies_in_start = 0;
    if (without(storm_plan::fails_to_start)) habits_.fails_to_start = 0;
  }

  storm_end blow() {
    storm_end end;
    simulation world{spec_, children_, habits_, plan_.seed, template_};
    for (monotonic_duration at{}; at < length_ && world.final_word().empty();) {
      at = std::min(at + between_calls_, length_);
      world.run_until(at);
      if (without(storm_plan::calls)) continue;
      world.ask(random_call(world));
      ++end.calls;
    }
    if (world.final_word().empty()) {
      if (how_it_ends_ != 0) world.stop();
      if (how_it_ends_ == 2) world.hurry(100ms);
      if (how_it_ends_ == 3 || how_it_ends_ == 0) world.kill();
      // 20 children, each at most 5 s to stop: it must be over by then.
      world.run_until(length_ + 120s);
      if (world.final_word().empty()) end.breach = "it does not end";
    }
    end.final_word = world.final_word();
    end.faults = world.faults();
    return end;
  }

private:
  child_spec random_child(std::string id) {
    child_spec child{.id = std::move(id)};
    child.restart = one_in(8) ? temporary : one_in(4) ? transient : permanent;
    if (one_in(8)) child.shutdown = brutal_kill;
    if (one_in(4)) child.shutdown = std::chrono::milliseconds{1 + below(500)};
    if (one_in(4)) child.ready_timeout = std::chrono::milliseconds{1 + below(100)};
    if (one_in(4) && spec_.on_exceeded == escalate) child.backoff = backoff::none;
    child.significant = one_in(3) && child.restart != permanent &&
                        spec_.auto_shutdown != auto_shutdown_policy::never;
    return child;
  }

  calls::request random_call(const simulation& world) {
    const auto& known = world.core().children();
    std::string id = "nobody";
    if (known.size() != 0) {
      auto any = known.begin();
      for (std::uint64_t skip = below(known.size()); skip > 0; --skip) ++any;
      if (!one_in(10)) id = (*any).spec.id;
    }
    switch (below(9)) {
    case 0:
      return calls::which_children{};
    case 1:
      return calls::count_children{};
    case 2:
      return calls::get_child_spec{id};
    case 3:
      return calls::delete_child{id};
    case 4:
      return calls::scale{static_cast<unsigned>(below(8))};
    case 5:
      return calls::start_child{};
    case 6:
      if (known.size() > 12) return calls::stop_child{id};
      return calls::start_child{.spec =
                                    random_child(one_in(5) ? id : fmt::format("n{}", ++added_))};
    case 7:
      return calls::stop_child{id};
    default:
      return calls::restart_child{id};
    }
  }

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  double share(double most) { return most * static_cast<double>(below(1000)) / 1000; }
  [[nodiscard]] bool without(unsigned what) const { return (plan_.without & what) != 0; }

  storm_plan plan_;
  random_source random_;
  supervisor_spec spec_{};
  std::vector<child_spec> children_{};
  std::optional<child_template> template_{};
  habits habits_{};
  monotonic_duration length_{};
  monotonic_duration between_calls_{};
  std::uint64_t how_it_ends_ = 0;
  std::uint64_t added_ = 0;
};

bool breaks(const storm_plan& plan) { return !blow(plan).breach.empty(); }

} // namespace

std::string storm_plan::text() const {
  return fmt::format("{}/{}/{}/{}", seed, without, children, length_ms);
}

std::optional<storm_plan> storm_plan::parse(std::string_view text) {
  std::istringstream in{std::string{text}};
  storm_plan plan;
  char a = 0;
  char b = 0;
  char c = 0;
  in >> plan.seed >> a >> plan.without >> b >> plan.children >> c >> plan.length_ms;
  if (!in || a != '/' || b != '/' || c != '/') return std::nullopt;
  return plan;
}

storm_end blow(const storm_plan& plan) {
  try {
    return storm{plan}.blow();
  } catch (const std::exception& e) {
    return {.breach = e.what()};
  }
}

storm_plan shrunk(storm_plan plan) {
  for (unsigned bit = 1; bit < storm_plan::all; bit *= 2) {
    storm_plan smaller = plan;
    smaller.without |= bit;
    if (breaks(smaller)) plan = smaller;
  }
  for (std::uint64_t n = 1; n < plan.children; ++n) {
    storm_plan smaller = plan;
    smaller.children = n;
    if (breaks(smaller)) plan = smaller;
  }
  for (std::uint64_t step = plan.length_ms / 2; step > 0; step /= 2) {
    storm_plan smaller = plan;
    smaller.length_ms -= std::min(step, smaller.length_ms);
    if (breaks(smaller)) plan = smaller;
  }
  return plan;
}

} // namespace coppice::test
