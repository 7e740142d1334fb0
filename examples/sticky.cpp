// Clients that come back to their worker: each has a cookie, and its value says which worker gets
// the client's connections. So a worker may keep things about its clients in memory: here, how
// often each has asked.
//
//     sticky --listen tcp://127.0.0.1:8080 --workers 4
//     curl http://127.0.0.1:8080/ -b client=ann
//     web/3: hello ann, this is your visit number 1
//
// When a worker dies, its clients are served by others meanwhile, and come back to the slot when it
// has grown back; what it had in memory is gone.

#include "options.hpp"

#include <algorithm>
#include <map>
#include <memory>

namespace {

namespace http = coppice::http;

constexpr std::size_t most_clients = 10'000;

/// The value of the cookie `client`, which this service's clients choose themselves.
std::string client_of(const http::request& request) {
  constexpr std::string_view name = "client=";
  const std::string_view cookies = request.header("Cookie").value_or("");
  for (std::size_t at = 0; at < cookies.size();) {
    const auto end = std::min(cookies.find("; ", at), cookies.size());
    const auto pair = cookies.substr(at, end - at);
    if (pair.starts_with(name)) return std::string{pair.substr(name.size())};
    at = end + 2;
  }
  return {};
}

void web(coppice::worker& self) {
  auto visits = std::make_shared<std::map<std::string, unsigned>>();
  http::serve(self, [visits, name = std::string{self.name()}](const http::request& request) {
    const auto client = client_of(request);
    if (client.empty()) return http::text(name + ": hello, whoever you are\n");
    if (visits->size() >= most_clients) visits->clear();
    return http::text(fmt::format("{}: hello {}, this is your visit number {}\n", name, client,
                                  ++(*visits)[client]));
  });
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"A service whose clients come back to their workers"};
  example::options chosen;
  example::add_options(app, chosen);
  if (const auto code = example::parse(app, argc, argv)) return *code;
  auto workers = coppice::pool("web", web).policy(coppice::sticky_cookie("client"));
  return coppice::run(argc, argv, example::service(chosen, workers));
}
