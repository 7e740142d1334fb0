// A service whose workers write to each other, for tests: what is asked for over HTTP is sent as a
// message by the worker that answers.
//
//   /who                          web/2
//   /ask?to=A&type=T&value=V&ms=N "ok VALUE", or "error WHY"
//   /send?to=A&type=T&value=V     sent, not_now or closed
//   /subscribe?topic=T            sent
//   /notes                        the values of all messages of type note that came here, in order
//
// Every worker and the agent "clerk" answer asks: who (its name), echo (the value), slow (echo
// after 50 ms), never (nothing), throw (an exception), die (SIGKILL).

#include "options.hpp"

#include <asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <unistd.h>

namespace {

namespace http = coppice::http;
using namespace std::chrono_literals;

using notes = std::vector<std::string>;

void answer_asks(coppice::worker& self) {
  self.on("who", [&self](const coppice::message& m) { self.reply(m, std::string{self.name()}); });
  self.on("echo", [&self](const coppice::message& m) { self.reply(m, m.as<std::string>()); });
  self.on("slow", [&self](coppice::message m) -> asio::awaitable<void> {
    asio::steady_timer timer{self.context(), 50ms};
    co_await timer.async_wait(asio::use_awaitable);
    self.reply(m, m.as<std::string>());
  });
  self.on("never", [](const coppice::message&) {});
  self.on("throw", [](const coppice::message&) { throw std::runtime_error{"thrown on demand"}; });
  self.on("die", [](const coppice::message&) { ::kill(::getpid(), SIGKILL); });
}

coppice::address address_in(const http::request& request) {
  if (const auto id = request.query_number("to")) return *id;
  return request.query("to").value_or("");
}

std::string_view to_string(coppice::send_result how) {
  return how == coppice::send_result::sent      ? "sent"
         : how == coppice::send_result::not_now ? "not_now"
                                                : "closed";
}

asio::awaitable<http::response> serve(coppice::worker& self, notes& got, http::request request) {
  const auto path = request.path();
  const auto type = request.query("type").value_or("");
  const auto value = request.query("value").value_or("");
  if (path == "/who") co_return http::text(std::string{self.name()});
  if (path == "/subscribe")
    co_return http::text(
        std::string{to_string(self.subscribe(request.query("topic").value_or("")))});
  if (path == "/notes") co_return http::text(fmt::format("{}", fmt::join(got, " ")));
  if (path == "/send")
    co_return http::text(std::string{to_string(self.send(address_in(request), type, value))});
  if (path == "/ask") {
    const auto said =
        co_await self.ask(address_in(request), type, value,
                          std::chrono::milliseconds{request.query_number("ms").value_or(10'000)});
    co_return http::text(said ? "ok " + said->as<std::string>()
                              : "error " + std::string{coppice::to_string(said.error())});
  }
  co_return http::status(404);
}

void web(coppice::worker& self) {
  answer_asks(self);
  const auto got = std::make_shared<notes>();
  self.on("note", [got](const coppice::message& m) { got->push_back(m.as<std::string>()); });
  http::serve(
      self, [&self, got](http::request request) { return serve(self, *got, std::move(request)); });
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"Workers that write to each other"};
  example::options chosen;
  example::add_options(app, chosen);
  if (const auto code = example::parse(app, argc, argv)) return *code;
  auto spec = example::service(chosen, coppice::pool("web", web));
  spec.children.push_back(coppice::agent("clerk", answer_asks));
  spec.on_message = [](const coppice::message& m, coppice::messenger& out) {
    if (m.type() == "who") out.reply(m, std::string{"primary"});
    if (m.type() == "ask clerk") {
      out.ask("clerk", "who", 0, 5s, [&out, asked = m](const coppice::ask_result& said) {
        out.reply(asked, said ? said->as<std::string>() : std::string{to_string(said.error())});
      });
    }
  };
  return coppice::run(argc, argv, std::move(spec));
}
