// A service whose workers do what the first argument says, for the integration tests.

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <coppice/coppice.hpp>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fmt/core.h>
#include <random>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace coppice;
using namespace std::chrono_literals;

http::response hello(const http::request&) { return http::text("hello\n"); }

/// Writes `bytes` to every socket of `type` that this process holds: its own channels, behind the
/// runtime's back.
void write_to_channels(int type, std::string_view bytes) {
  for (int fd = 3; fd < 64; ++fd) {
    int domain = 0, found = 0;
    socklen_t size = sizeof domain;
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX) continue;
    size = sizeof found;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &found, &size) != 0 || found != type) continue;
    (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
}

/// "3 -> socket:[1]" for each descriptor of this process.
std::string descriptors() {
  std::string text;
  DIR* dir = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(dir)) {
    char target[256] = {};
    if (entry->d_name[0] == '.' || std::atoi(entry->d_name) == ::dirfd(dir)) continue;
    const auto n = ::readlink(("/proc/self/fd/" + std::string{entry->d_name}).c_str(), target,
                              sizeof target - 1);
    if (n > 0) text += fmt::format("{} {}\n", entry->d_name, target);
  }
  ::closedir(dir);
  return text;
}

void boot_throws(worker&) { throw std::runtime_error{"the configuration has no 'color'"}; }
void boot_exits(worker&) { ::_exit(3); }

void served(worker& self) { http::serve(self, hello); }

void control_garbage(worker& self) {
  http::serve(self, [](const http::request& r) {
    if (r.path() == "/garbage") write_to_channels(SOCK_SEQPACKET, "this is not msgpack");
    return http::text(std::to_string(::getpid()));
  });
}
void data_garbage(worker& self) {
  http::serve(self, [](const http::request& r) {
    if (r.path() == "/garbage") // a frame that claims 4 GiB
      write_to_channels(SOCK_STREAM, std::string_view{"\xff\xff\xff\xff....", 8});
    return http::text(std::to_string(::getpid()));
  });
}
void throws(worker& self) {
  http::serve(self, [](const http::request& r) -> http::response {
    if (r.path() == "/throw") throw std::runtime_error{"the handler's own words"};
    return http::text(std::to_string(::getpid()));
  });
}
void crashes(worker& self) {
  http::serve(self, [](const http::request& r) {
    if (r.path() == "/crash") std::abort();
    return http::text(std::to_string(::getpid()));
  });
}
void lists_descriptors(worker& self) {
  http::serve(self, [](const http::request&) { return http::text(descriptors()); });
}

/// Ends with exit code 1 after a random time of up to 10 s: the classic example.
void flaky(worker& self) {
  http::serve(self, hello);
  std::mt19937 random{std::random_device{}()};
  auto timer = std::make_shared<asio::steady_timer>(
      self.context(),
      std::chrono::milliseconds{std::uniform_int_distribution<int>{0, 10'000}(random)});
  timer->async_wait([timer](const asio::error_code& ec) {
    if (!ec) ::_exit(1);
  });
}

/// Ends with exit code 1 as soon as it is up, until there is the file that the third argument
/// names.
worker_body mortal(std::string calm) {
  return [calm = std::move(calm)](worker& self) {
    if (::access(calm.c_str(), F_OK) != 0) asio::post(self.context(), [] { ::_exit(1); });
  };
}

/// An agent that tells when it began and when it was asked to end, on standard output.
void talkative(worker& self) {
  fmt::print("{} begins, id {}\n", self.name(), self.id());
  std::fflush(stdout);
  self.on_drain([&self] {
    fmt::print("{} ends\n", self.name());
    std::fflush(stdout);
  });
}

} // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "";
  const unsigned workers = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 2;
  service_spec spec;
  spec.name = "misbehave";
  spec.on_ready = [](const service_started& s) {
    fmt::print("coppice: ready pid={} listen={} workers={}\n", s.pid,
               s.endpoints.empty() ? "" : s.endpoints.front(), s.workers);
    std::fflush(stdout);
  };
  const auto web = [&](worker_body body) {
    return pool("web", std::move(body)).instances(workers).listen("tcp://127.0.0.1:0");
  };
  if (how == "boot_throws") spec.children = {web(boot_throws)};
  if (how == "boot_exits") spec.children = {web(served), pool("late", boot_exits).instances(1)};
  if (how == "control_garbage") spec.children = {web(control_garbage)};
  if (how == "data_garbage") spec.children = {web(data_garbage)};
  if (how == "throws") spec.children = {web(throws)};
  if (how == "mortal")
    spec.children = {pool("web", mortal(argc > 3 ? argv[3] : ""))
                         .instances(workers)
                         .intensity({.restarts = 10'000, .period = 1s})
                         .on_exceeded(exceeded_policy::escalate)
                         .backoff(backoff::none)};
  if (how == "crashes") spec.children = {web(crashes)};
  if (how == "descriptors") spec.children = {web(lists_descriptors)};
  if (how == "flaky") spec.children = {web(flaky)};
  if (how == "agents")
    spec.children = {pool("crowd", talkative).instances(1), agent("first", talkative),
                     supervisor("inner", {.children = {agent("second", talkative)}})};
  if (how == "bad_spec")
    spec.children = {pool("web", served).instances(0).listen("tcp://nowhere"),
                     pool("web", served).backoff({.first = 2s, .max = 1s})};
  return run(argc, argv, std::move(spec));
}
