// What supervision itself costs, without processes: one supervisor of n children on the loop that
// services run on, each child an actor that does nothing. Prints
//
//   decision p50/p99   from handing the loop the word that a child has ended to the start of the
//                      next incarnation; within it the decision, its report and its timers
//   restarts per s     of one supervisor, one after the other, with one core
//   memory             of the heap, for each child, its actor included
//
//     bench_supervision [children] [restarts]

#include <algorithm>
#include <asio/io_context.hpp>
#include <chrono>
#include <coppice/runtime/caf/actor_loop.hpp>
#include <coppice/supervisors/supervisor.hpp>
#include <cstdlib>
#include <fmt/format.h>
#include <malloc.h>
#include <vector>

namespace {

using namespace coppice;
using clock_type = std::chrono::steady_clock;

class no_log : public logger {
public:
  no_log() : logger{log_level::error} {}

protected:
  void write(log_level, std::string_view) noexcept override {}
};

struct idle_child {
  caf::event_based_actor* self;
  start_context context;

  caf::behavior make_behavior() {
    port::mail(self, child_ready{context.id, context.incarnation, 1}).send(context.supervisor);
    return {[this](const stop_child&) {
      port::mail(self, child_ended{context.id, context.incarnation, {}}).send(context.supervisor);
      self->quit();
    }};
  }
};

std::size_t heap() { return mallinfo2().uordblks; }

double microseconds(clock_type::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

} // namespace

int main(int argc, char** argv) {
  const auto children = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 1000;
  const auto restarts = argc > 2 ? static_cast<std::size_t>(std::atoi(argv[2])) : 200'000;
  asio::io_context io{1};
  no_log log;
  actor_loop actors{io, log};

  std::vector<std::uint64_t> incarnations(children + 1);
  clock_type::time_point started;
  std::size_t starts = 0;
  supervisor_options options{.id = "bench"};
  options.spec.on_exceeded = degrade;
  options.spec.parallel_start = true;
  options.spec.max_starting = children;
  options.log = &log;
  options.dynamic =
      dynamic_children{{.spec = {.id = "c"},
                        .start =
                            [&](const start_context& context) {
                              started = clock_type::now();
                              ++starts;
                              incarnations[context.number] = context.incarnation;
                              return port::spawn_state<idle_child>(*context.system, context);
                            }},
                       children};

  const std::size_t before = heap();
  const caf::actor top = spawn_supervisor(actors.system(), std::move(options));
  const auto settle = [&](std::size_t wanted) {
    while (starts < wanted) {
      io.poll();
      io.restart();
      actors.run_ready();
    }
    for (int i = 0; i < 3; ++i) {
      actors.run_ready();
      io.poll();
      io.restart();
    }
  };
  settle(children);
  const std::size_t after = heap();

  std::vector<double> took;
  took.reserve(restarts);
  std::vector<std::string> ids(children + 1);
  for (unsigned i = 1; i <= children; ++i) ids[i] = fmt::format("c/{}", i);
  const auto begin = clock_type::now();
  for (std::size_t i = 0; i < restarts; ++i) {
    const unsigned number = 1 + static_cast<unsigned>(i % children);
    const std::size_t wanted = starts + 1;
    const auto died = clock_type::now();
    actors.deliver(
        top, child_ended{ids[number], incarnations[number], {ending::abnormal, "SIGKILL", true}});
    settle(wanted);
    took.push_back(microseconds(started - died));
  }
  const double seconds = std::chrono::duration<double>(clock_type::now() - begin).count();

  std::ranges::sort(took);
  fmt::print("{} children, {} restarts\n", children, restarts);
  fmt::print("decision: p50 {:.1f} us, p99 {:.1f} us\n", took[took.size() / 2],
             took[took.size() * 99 / 100]);
  fmt::print("restarts: {:.0f} per s\n", static_cast<double>(restarts) / seconds);
  fmt::print("memory: {} bytes for each child before its first death, {} after {} deaths each\n",
             (after - before) / children, (heap() - before) / children, restarts / children);
  std::fflush(stdout);
  std::_Exit(0); // a thousand actors need no farewell
}
