// A small HTTP service, with requests that misbehave on purpose, for trying out what supervision
// does about them.
//
//     http_hello --listen tcp://127.0.0.1:8080 --workers 4
//     curl http://127.0.0.1:8080/
//
//   /                 hello from web/2, pid 71, incarnation 3
//   /pid              the worker's process id
//   /n/123?us=50      answers 123, after 50 us of work if asked
//   /work?us=50       works for 50 us
//   /slow?ms=100      answers after 100 ms, without blocking the worker
//   /big?bytes=N      N bytes
//   POST /echo        the body comes back
//   /crash            abort()
//   /hang             blocks the worker's loop for ever
//   /exit?code=N      ends the worker with that code

#include "options.hpp"

#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdlib>
#include <unistd.h>

namespace {

namespace http = coppice::http;
using clock_type = std::chrono::steady_clock;

constexpr std::uint64_t most_work_us = 10'000'000;
constexpr std::uint64_t most_slow_ms = 600'000;
constexpr std::uint64_t most_bytes = 1ull << 30;

void work_for(std::chrono::microseconds time) {
  const auto end = clock_type::now() + time;
  while (clock_type::now() < end) {
  }
}

void work_as_asked(const http::request& request) {
  const auto us = request.query_number("us").value_or(0);
  if (us > 0) work_for(std::chrono::microseconds{std::min(us, most_work_us)});
}

/// A body of `n` bytes that is made while it is sent.
http::response big(std::uint64_t n) {
  auto left = std::make_shared<std::uint64_t>(n);
  const auto more = [left](std::string& out) {
    constexpr std::uint64_t piece = 64 * 1024;
    const auto size = std::min(*left, piece);
    out.append(size, 'x');
    *left -= size;
    return *left > 0;
  };
  return http::response{}.header("Content-Type", "application/octet-stream").body(more, n);
}

[[noreturn]] void hang() {
  for (;;) ::pause();
}

/// Answers at once what can be answered at once; nothing for /slow.
std::optional<http::response> answer(const coppice::worker& self, const http::request& request) {
  const std::string_view path = request.path();
  if (path == "/")
    return http::text(fmt::format("hello from {}, pid {}, incarnation {}\n", self.name(),
                                  ::getpid(), self.incarnation()));
  if (path == "/pid") return http::text(std::to_string(::getpid()));
  if (path.starts_with("/n/")) {
    work_as_asked(request);
    return http::text(std::string{path.substr(3)});
  }
  if (path == "/work") {
    work_as_asked(request);
    return http::text("done\n");
  }
  if (path == "/slow") return std::nullopt;
  if (path == "/big") return big(std::min(request.query_number("bytes").value_or(0), most_bytes));
  if (path == "/echo") {
    if (request.method() != "POST") return http::status(405).header("Allow", "POST");
    return http::bytes(std::string{request.body()});
  }
  if (path == "/crash") std::abort();
  if (path == "/hang") hang();
  if (path == "/exit") ::_exit(static_cast<int>(request.query_number("code").value_or(0) & 0xff));
  return http::status(404);
}

/// Answers when the time has come; other requests are served meanwhile.
void answer_later(coppice::worker& self, const http::request& request, http::responder responder) {
  const auto ms = std::min(request.query_number("ms").value_or(0), most_slow_ms);
  auto timer = std::make_shared<asio::steady_timer>(self.context(), std::chrono::milliseconds{ms});
  auto reply = std::make_shared<http::responder>(std::move(responder));
  timer->async_wait(
      [timer, reply](const asio::error_code&) { reply->send(http::text("that was slow\n")); });
}

void web(coppice::worker& self) {
  http::serve(
      self, [&self](const http::request& request) { return answer(self, request); },
      [&self](const http::request& request, http::responder responder) {
        answer_later(self, request, std::move(responder));
      });
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app{"A small HTTP service"};
  example::options chosen;
  example::add_options(app, chosen);
  if (const auto code = example::parse(app, argc, argv)) return *code;
  return coppice::run(argc, argv, example::service(chosen, coppice::pool("web", web)));
}
