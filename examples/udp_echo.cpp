// Echo over UDP: every datagram comes back to its sender. One of a single '?' is answered with who
// has received it.
//
//     udp_echo --listen udp://127.0.0.1:7000 --workers 2
//     echo hello | nc -u -w1 127.0.0.1 7000

#include "options.hpp"

#include <unistd.h>

namespace {

void echo(coppice::worker& self) {
  self.on_datagram([&self](coppice::datagram& d) {
    std::error_code failed;
    if (d.bytes() == "?")
      failed = d.reply(fmt::format("{} {}", self.name(), ::getpid()));
    else
      failed = d.reply(d.bytes());
    // As with any answer that gets lost: whoever misses it asks again.
    if (failed) self.log().debug("reply to {}: {}", d.peer(), failed.message());
  });
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"An echo service for datagrams"};
  example::options chosen;
  chosen.listen = "udp://127.0.0.1:7000";
  example::add_options(app, chosen);
  if (const auto code = example::parse(app, argc, argv)) return *code;
  return coppice::run(argc, argv, example::service(chosen, coppice::pool("echo", echo)));
}
