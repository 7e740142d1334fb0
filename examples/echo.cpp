// Echo: every byte comes back, in order. One coroutine for each connection.
//
//     echo --listen tcp://127.0.0.1:7000 --workers 2
//     nc 127.0.0.1 7000

#include "options.hpp"

#include <asio/buffer.hpp>
#include <asio/use_awaitable.hpp>

namespace {

asio::awaitable<void> echo(coppice::connection client) {
  client.replayable(true); // to say something twice into the wind does no harm
  for (;;) {
    // The input stays where it is until the reply that consumes it is handed over with it, in one
    // step.
    const std::string_view input = co_await client.async_wait_input(asio::use_awaitable);
    if (input.empty()) co_return; // the client has sent its last byte
    co_await client.async_reply(input.size(), asio::buffer(input), asio::use_awaitable);
  }
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"An echo service"};
  example::options chosen;
  example::add_options(app, chosen);
  if (const auto code = example::parse(app, argc, argv)) return *code;

  const auto body = [](coppice::worker& self) { self.serve(echo, coppice::protection::request); };
  return coppice::run(argc, argv, example::service(chosen, coppice::pool("echo", body)));
}
