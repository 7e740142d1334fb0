// bench_idle_workers N: a service of N workers that do nothing.
#include <coppice/coppice.hpp>

#include <cstdio>
#include <cstdlib>
#include <fmt/core.h>

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 0;
  if (count < 1) {
    fmt::print(stderr, "usage: bench_idle_workers N\n");
    return 2;
  }
  return coppice::run(argc, argv,
                      {.children = {coppice::pool("idle", [](coppice::worker&) {})
                                        .instances(static_cast<unsigned>(count))},
                       .on_ready = [](const coppice::service_started& service) {
                         fmt::print("ready pid={}\n", service.pid);
                         std::fflush(stdout);
                       }});
}
