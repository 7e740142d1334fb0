#pragma once
// What all examples take on the command line, and the line they print when everything is ready.

#include <CLI/CLI.hpp>
#include <coppice/coppice.hpp>
#include <cstdio>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace example {

struct options {
  std::string listen = "tcp://127.0.0.1:8080";
  unsigned workers = 0;                           // one per core
  std::optional<coppice::protection> protection;  // as much as the endpoint's connections can have
  std::optional<coppice::dispatch_policy> policy; // the example's own
  std::optional<std::size_t> max_connections;
  std::optional<std::size_t> max_connections_per_worker;
  coppice::spawn_method spawn = coppice::spawn_method::zygote;
  std::string state_dir;
  coppice::log_level verbosity = coppice::log_level::info;
};

/// An option whose value is one of a few words.
template <class Value>
void add_choice(CLI::App& app, const char* name, Value& chosen, const char* what,
                const std::map<std::string, Value>& words) {
  std::set<std::string> names;
  for (const auto& [word, value] : words) names.insert(word);
  app.add_option_function<std::string>(
         name, [&chosen, words](const std::string& word) { chosen = words.at(word); }, what)
      ->check(CLI::IsMember(names));
}

/// "ip_hash", "sticky:COOKIE", ...
inline coppice::dispatch_policy policy_called(const std::string& word) {
  constexpr std::string_view sticky = "sticky:";
  if (word.starts_with(sticky)) return coppice::sticky_cookie(word.substr(sticky.size()));
  for (const auto kind : {coppice::round_robin, coppice::least_connections,
                          coppice::power_of_two_choices, coppice::ip_hash})
    if (word == coppice::to_string(kind)) return kind;
  throw CLI::ValidationError{"--policy", "there is no policy '" + word + "'"};
}

inline void add_options(CLI::App& app, options& chosen) {
  app.add_option(
         "--listen", chosen.listen,
         "Endpoint: tcp://HOST:PORT (port 0 takes a free one), unix:///PATH, unix://@NAME or "
         "fd://NUMBER")
      ->capture_default_str();
  app.add_option("--workers", chosen.workers, "Worker processes (default: one per core)");
  app.add_option("--state-dir", chosen.state_dir,
                 "Where the primary keeps its lock; one primary for each directory");
  app.add_option("--max-connections", chosen.max_connections,
                 "Connections of all workers together; the rest waits in the kernel's backlog");
  app.add_option("--max-connections-per-worker", chosen.max_connections_per_worker,
                 "Connections of one worker");
  add_choice(app, "--protection", chosen.protection, "How much of a connection outlives its worker",
             {{"none", coppice::protection::none},
              {"connection", coppice::protection::connection},
              {"request", coppice::protection::request}});
  app.add_option_function<std::string>(
      "--policy", [&chosen](const std::string& word) { chosen.policy = policy_called(word); },
      "Which worker gets a connection: round_robin, least_connections, power_of_two_choices, "
      "ip_hash or sticky:COOKIE");
  add_choice(app, "--spawn", chosen.spawn, "How workers are made",
             {{"zygote", coppice::spawn_method::zygote}, {"exec", coppice::spawn_method::exec}});
  add_choice(app, "--log", chosen.verbosity, "What is logged",
             {{"debug", coppice::log_level::debug},
              {"info", coppice::log_level::info},
              {"warn", coppice::log_level::warn},
              {"error", coppice::log_level::error},
              {"off", coppice::log_level::off}});
}

/// The exit code, if there is nothing to run: 0 after --help, 2 for a wrong command line.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return std::nullopt;
}

/// `coppice: ready pid=71 listen=tcp://127.0.0.1:8080 workers=4`, on standard output, for scripts
/// to wait for.
inline void print_ready(const coppice::service_started& service) {
  fmt::print("coppice: ready pid={} listen={} workers={}\n", service.pid,
             fmt::join(service.endpoints, ","), service.workers);
  std::fflush(stdout);
}

/// The spec of an example: one pool with one endpoint.
inline coppice::service_spec service(const options& chosen, coppice::pool workers) {
  if (chosen.workers != 0) workers.instances(chosen.workers);
  if (chosen.policy) workers.policy(*chosen.policy);
  if (chosen.max_connections) workers.max_connections(*chosen.max_connections);
  if (chosen.max_connections_per_worker)
    workers.max_connections_per_worker(*chosen.max_connections_per_worker);
  coppice::service_spec spec;
  if (chosen.protection) workers.protection(*chosen.protection);
  spec.children = {workers.listen(chosen.listen)};
  spec.state_dir = chosen.state_dir;
  spec.spawn = chosen.spawn;
  spec.verbosity = chosen.verbosity;
  spec.on_ready = print_ready;
  return spec;
}

} // namespace example
