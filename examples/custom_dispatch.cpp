// A policy of one's own: web/1 is kept for an endpoint where operators ask, so that they are
// answered however busy the others are.
//
//     custom_dispatch --listen tcp://127.0.0.1:8080 --operators tcp://127.0.0.1:8081 --workers 4

#include "options.hpp"

#include <algorithm>

namespace {

namespace http = coppice::http;

/// Called in the primary for each connection. Whoever is ready and has room is in `ready`, in the
/// order of the slots.
std::size_t keep_one_for_operators(std::span<const coppice::worker_load> ready,
                                   const coppice::newcomer& who) {
  const bool operators = who.listener == 0; // the first that main() names
  const auto kept = [](const coppice::worker_load& worker) { return worker.slot == 1; };
  const auto best = std::min_element(ready.begin(), ready.end(), [&](const auto& a, const auto& b) {
    if (kept(a) != kept(b)) return kept(a) == operators; // the others are the second choice
    return a.open < b.open;
  });
  return static_cast<std::size_t>(best - ready.begin());
}

void web(coppice::worker& self) {
  http::serve(self, [name = std::string{self.name()}](const http::request&) {
    return http::text(name + "\n");
  });
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"A service with a way of its own to choose workers"};
  example::options chosen;
  example::add_options(app, chosen);
  std::string operators = "tcp://127.0.0.1:8081";
  app.add_option("--operators", operators, "The endpoint that web/1 is kept for");
  if (const auto code = example::parse(app, argc, argv)) return *code;
  auto workers = coppice::pool("web", web).listen(operators);
  workers.policy(coppice::custom(keep_one_for_operators));
  return coppice::run(argc, argv, example::service(chosen, workers));
}
