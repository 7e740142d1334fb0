// Storms over a link with a real MTU: answers leave in pieces, and the kernel's counters stand
// between acknowledgements that take their time.
#include "chaos/storm.hpp"
#include "chaos/two_networks.hpp"
#include "support/catch.hpp"

#include <cstdio>

using namespace coppice::test;

namespace {

/// One request after the other over one connection that must not end.
void keep_alive(storm& s, const two_networks& networks, std::string_view method, std::size_t bytes,
                std::string_view query) {
  networks.enter_as_client();
  stream_client c{s.port(), {.host = s.host()}};
  if (!c.connected()) return s.fail("it does not connect");
  while (!s.over()) {
    const auto request = s.ask(method, bytes, query);
    if (const auto how = c.send(request.text); how != ending_of_call::done)
      return s.cannot("send", how);
    if (!s.judge(request, c.receive())) return;
  }
}

} // namespace

// One process, one test case: the namespaces are the thread's that made them.
TEST_CASE("keep-alive clients behind a link of MTU 1500 see nothing of workers that die") {
  const two_networks networks;
  if (!networks.why_not().empty()) {
    std::printf("skipped: %s\n", networks.why_not().c_str());
    WARN("skipped: " << networks.why_not());
    return;
  }
  for (const int signal : {SIGKILL, SIGSEGV}) {
    storm s{{.name = signal == SIGKILL ? "veth, SIGKILL" : "veth, SIGSEGV",
             .clients = 32,
             .signal = signal,
             .may_refuse = signal == SIGSEGV, // the second crash over one request: 500
             .host = two_networks::server_address}};
    s.run([&](unsigned who) {
      constexpr std::size_t sizes[] = {100, 5000, 20'000, 60'000};
      keep_alive(s, networks, "GET", sizes[who % 4], who % 3 == 0 ? "&ms=3" : "&us=50");
    });
  }
  storm s{{.name = "veth, 1 MiB",
           .clients = 8,
           .may_refuse = true,
           .may_reset = true,
           .host = two_networks::server_address}};
  s.run([&](unsigned) { keep_alive(s, networks, "GET", 1024 * 1024, ""); });
}
