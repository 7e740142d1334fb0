// The service of the storms: every run of a handler is written down in a file that outlives it, and
// every answer says which run made it.
//
//     storm_service --listen tcp://127.0.0.1:0 --workers 4 --runs FILE [--send-buffer 4608]
//
//   ANY /run?id=N&bytes=B    counts a run of request N; answers with B bytes that belong to N and
//                            to this run, and with X-Run, X-Attempt and X-Content
//       &us=U                after U us of work
//       &ms=M                after M ms, while the worker does other things
//       &abort=1             abort() instead of an answer
//       &abort=1             abort() instead
//   /pid                     the worker's process id

#include "examples/options.hpp"
#include "runs.hpp"

#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

namespace http = coppice::http;
namespace test = coppice::test;
using clock_type = std::chrono::steady_clock;

int send_buffer = 0;

void work_for(std::chrono::microseconds time) {
  const auto end = clock_type::now() + time;
  while (clock_type::now() < end) {
  }
}

/// Whole or, if it is long, made while it is sent.
http::response answer_of(std::uint64_t id, std::uint32_t run, std::size_t size) {
  if (size <= coppice::limits::http_whole_answer) {
    std::string body;
    test::append_answer(body, id, run, 0, size);
    return http::bytes(std::move(body));
  }
  auto at = std::make_shared<std::size_t>(0);
  return http::response{}.body(
      [=](std::string& out) {
        const auto n = std::min<std::size_t>(size - *at, 16 * 1024);
        test::append_answer(out, id, run, *at, n);
        return (*at += n) < size;
      },
      size);
}

http::response run(const test::run_file& runs, const http::request& request) {
  const auto id = request.query_number("id").value_or(0);
  const auto number = runs.begin(id, request.attempt());
  work_for(std::chrono::microseconds{request.query_number("us").value_or(0)});
  if (request.query_number("abort") && !request.query_number("ms")) std::abort();
  return answer_of(id, number, request.query_number("bytes").value_or(0))
      .header("X-Run", std::to_string(number))
      .header("X-Attempt", std::to_string(request.attempt()))
      .header("X-Content", std::to_string(test::digest(request.body())));
}

void serve(coppice::worker& self, const std::string& path) {
  const auto runs = std::make_shared<test::run_file>(path);
  http::serve(
      self,
      [runs](const http::request& request) -> std::optional<http::response> {
        if (request.path() == "/pid") return http::text(std::to_string(::getpid()));
        if (request.path() != "/run") return http::status(404);
        if (request.query_number("ms")) return std::nullopt;
        return run(*runs, request);
      },
      [runs, &self](http::request request, http::responder responder) {
        const auto ms = std::chrono::milliseconds{request.query_number("ms").value_or(0)};
        auto timer = std::make_shared<asio::steady_timer>(self.context(), ms);
        auto reply = std::make_shared<http::responder>(std::move(responder));
        // The handler begins now, and ends when the time is over.
        timer->async_wait(
            [timer, reply, made = std::make_shared<http::response>(run(*runs, request)),
             poison = request.query_number("abort").has_value()](const asio::error_code&) {
              if (poison) std::abort();
              reply->send(std::move(*made));
            });
      });
}

} // namespace

/// Instead of libc's: what a listening socket is set to, its connections inherit. Over loopback a
/// megabyte would otherwise go out in one send.
extern "C" int listen(int fd, int backlog) noexcept {
  if (send_buffer > 0) ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  return static_cast<int>(::syscall(SYS_listen, fd, backlog));
}

int main(int argc, char** argv) {
  CLI::App app{"The service of the storms"};
  example::options chosen;
  std::string runs;
  example::add_options(app, chosen);
  app.add_option("--runs", runs, "Where the handlers' runs are counted")->required();
  app.add_option("--send-buffer", send_buffer, "SO_SNDBUF of the connections");
  if (const auto code = example::parse(app, argc, argv)) return *code;
  auto web = coppice::pool("web", [runs](coppice::worker& self) { serve(self, runs); });
  // As many deaths as the storm likes, and little rest after them.
  web.backoff({.first = std::chrono::milliseconds{5}, .max = std::chrono::milliseconds{20}})
      .intensity({.restarts = 10'000, .period = std::chrono::seconds{1}});
  return coppice::run(argc, argv, example::service(chosen, std::move(web)));
}
