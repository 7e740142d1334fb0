// A service whose workers fall ill on request, and whose limits are arguments, as "name=number":
// workers, hang_timeout and max_lifetime in ms, max_memory in MiB, max_requests.

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <coppice/coppice.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fmt/core.h>
#include <map>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using namespace coppice;
using namespace std::chrono_literals;

/// Memory that is really there: every page is written.
void grow(std::size_t mib) {
  static std::vector<std::string> held;
  held.emplace_back(mib * 1024 * 1024, 'x');
}

void answer(worker& self, const http::request& r, http::responder responder) {
  const auto path = r.path();
  if (path == "/hang")
    for (;;) ::pause();
  if (path == "/deaf") { // hangs, and does not hear SIGABRT
    std::signal(SIGABRT, SIG_IGN);
    for (;;) ::pause();
  }
  if (path == "/grow") grow(r.query_number("mib").value_or(0));
  if (path == "/retire") self.retire("a request asked for it");
  if (path == "/throw") throw std::runtime_error{"the handler's own words"};
  if (path == "/post")
    asio::post(self.context(), [] { throw std::runtime_error{"out of the loop"}; });
  if (path == "/slow") {
    auto timer = std::make_shared<asio::steady_timer>(self.context(), 1s);
    timer->async_wait([timer, responder = std::move(responder)](const std::error_code&) mutable {
      responder.send(http::text(std::to_string(::getpid())));
    });
    return;
  }
  responder.send(http::text(std::to_string(::getpid())));
}

void web(worker& self) {
  http::serve(self, [&self](const http::request& r, http::responder responder) {
    answer(self, r, std::move(responder));
  });
}

} // namespace

int main(int argc, char** argv) {
  std::map<std::string, long> given;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto sign = argument.find('=');
    given[argument.substr(0, sign)] = std::atol(argument.c_str() + sign + 1);
  }
  auto workers = pool("web", web).instances(static_cast<unsigned>(given.at("workers")));
  workers.listen("tcp://127.0.0.1:0");
  for (const auto& [name, value] : given) {
    if (name == "hang_timeout") workers.hang_timeout(std::chrono::milliseconds{value});
    if (name == "max_lifetime") workers.max_lifetime(std::chrono::milliseconds{value});
    if (name == "max_memory") workers.max_memory(static_cast<std::uint64_t>(value) << 20);
    if (name == "max_requests") workers.max_requests(static_cast<std::uint64_t>(value));
  }
  service_spec spec;
  spec.name = "unwell";
  spec.children = {workers};
  spec.on_ready = [](const service_started& s) {
    fmt::print("coppice: ready pid={} listen={} workers={}\n", s.pid, s.endpoints.front(),
               s.workers);
    std::fflush(stdout);
  };
  return run(argc, argv, std::move(spec));
}
