// One agent asks a slow source every few seconds, and tells all workers; they answer from memory.
// However many workers there are, the source is asked once.
//
//     shared_cache --listen tcp://127.0.0.1:8080 --workers 4
//     curl http://127.0.0.1:8080/
//
//   /    web/2 knows of 1234 users (fetch 17)

#include "options.hpp"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <random>

namespace {

namespace http = coppice::http;
using namespace std::chrono_literals;

struct users {
  std::uint64_t count = 0;
  std::uint64_t fetch = 0; ///< which one it is of
  MSGPACK_DEFINE(count, fetch)
};

/// Stands for a query that takes its time.
asio::awaitable<users> ask_the_source(asio::io_context& loop, std::uint64_t fetch) {
  asio::steady_timer slow{loop, 300ms};
  co_await slow.async_wait(asio::use_awaitable);
  static std::mt19937 random{std::random_device{}()};
  co_return users{1000 + random() % 1000, fetch};
}

/// Publishes what it has fetched, and tells it to whoever asks: a worker that starts later, say.
asio::awaitable<void> fetcher(coppice::worker& self) {
  users latest = co_await ask_the_source(self.context(), 1); // ready means: there is a value
  self.on("users", [&](const coppice::message& m) { self.reply(m, latest); });
  for (;;) {
    self.publish("users", "users", latest);
    asio::steady_timer rest{self.context(), 3s};
    co_await rest.async_wait(asio::use_awaitable);
    latest = co_await ask_the_source(self.context(), latest.fetch + 1);
  }
}

asio::awaitable<void> ask_for_the_first(coppice::worker& self, users& known) {
  const auto got = co_await self.ask("fetcher", "users", 0, 5s);
  if (got && known.fetch == 0) known = got->as<users>();
}

void web(coppice::worker& self) {
  const auto known = std::make_shared<users>();
  self.on("users", [known](const coppice::message& m) { *known = m.as<users>(); });
  self.subscribe("users");
  asio::co_spawn(self.context(), ask_for_the_first(self, *known), asio::detached);
  http::serve(self, [known, name = std::string{self.name()}](const http::request&) {
    if (known->fetch == 0) return http::status(503).header("Retry-After", "1");
    return http::text(
        fmt::format("{} knows of {} users (fetch {})\n", name, known->count, known->fetch));
  });
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Workers that share what one agent has fetched"};
  example::options chosen;
  example::add_options(app, chosen);
  if (const auto code = example::parse(app, argc, argv)) return *code;
  auto spec = example::service(chosen, coppice::pool("web", web));
  spec.children.push_back(coppice::agent("fetcher", fetcher));
  return coppice::run(argc, argv, std::move(spec));
}
