// bench_load: an HTTP/1.1 load generator for a server on loopback. Prints one line of JSON.

#include "load/run.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <exception>
#include <fmt/format.h>

int main(int argc, char** argv) {
  bench::load::options wanted;
  int timeout_ms = 2000;
  CLI::App app{"Asks a server on 127.0.0.1 and says what that cost."};
  app.add_option("--port", wanted.port, "Port of the server")->required();
  app.add_option("--connections", wanted.connections, "Connections in use at a time")
      ->check(CLI::Range(1, 60'000));
  app.add_flag("--keep-alive", wanted.keep_alive,
               "Many requests on a connection; else one on each");
  app.add_option("--path", wanted.path, "What to ask for");
  app.add_option("--seconds", wanted.seconds, "Measured time")->check(CLI::PositiveNumber);
  app.add_option("--warm-up", wanted.warm_up, "Seconds before it that do not count");
  app.add_option("--rate", wanted.rate,
                 "Starts a second (open loop); 0: the next when one has ended");
  app.add_option("--timeout-ms", timeout_ms, "A transaction that takes longer has failed");
  app.add_option("--tree", wanted.tree, "Measure the CPU time of this process and its descendants");
  CLI11_PARSE(app, argc, argv);
  wanted.timeout = std::chrono::milliseconds{timeout_ms};
  try {
    fmt::print("{}\n", bench::load::run(wanted));
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_load: {}\n", error.what());
    return 1;
  }
}
