// A service whose children are set up in every way, for the integration tests: what its workers
// find is what they answer, and they run programs themselves.
//
//   household zygote|exec HELPER [bad]

#include <asio/use_awaitable.hpp>
#include <coppice/coppice.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace {

using namespace coppice;
using namespace std::chrono_literals;

std::string own_status() {
  std::ifstream file{"/proc/self/status"};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  const char* variable = std::getenv("HOUSEHOLD");
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  return text + fmt::format("household:\t{}\ncwd:\t{}\nfiles:\t{} {}\nnice:\t{}\n",
                            variable ? variable : "", std::filesystem::current_path().string(),
                            files.rlim_cur, files.rlim_max, ::getpriority(PRIO_PROCESS, 0));
}

void web(worker& self) {
  http::serve(self, [&self](http::request r) -> asio::awaitable<http::response> {
    if (r.path() != "/run") co_return http::text(own_status());
    program_call call = shell("echo $PPID; id -u; env; ls /proc/self/fd");
    call.timeout = 20s;
    const auto done = co_await run_program(self.context(), std::move(call), asio::use_awaitable);
    co_return http::text(done ? done->status.text() + "\n" + done->out : done.error().message());
  });
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string how = argv[1];
  const bool bad = argc > 3 && std::string{argv[3]} == "bad";
  auto pool_of_web = pool("web", web)
                         .instances(2)
                         .listen("tcp://127.0.0.1:0")
                         .environment("HOUSEHOLD", "set")
                         .unset_environment("COPPICE_STATE_DIR")
                         .umask(027)
                         .limit(RLIMIT_NOFILE, 500, 600)
                         .directory(bad ? "/nonexistent" : "/usr")
                         .no_new_privileges();
  // Exec'd workers must be able to execute the program as that user, wherever it was built.
  if (::geteuid() == 0 && how == "zygote") pool_of_web.uid(65534).gid(65533).groups({4, 24});
  service_spec spec;
  spec.name = "household";
  spec.spawn = how == "exec" ? spawn_method::exec : spawn_method::zygote;
  spec.children = {
      program("sidekick", argv[2], {"line=at your service"}).output(program_output::log),
      pool_of_web};
  spec.on_ready = [](const service_started& s) {
    fmt::print("coppice: ready pid={} listen={} workers={}\n", s.pid, s.endpoints.front(),
               s.workers);
    std::fflush(stdout);
  };
  return run(argc, argv, std::move(spec));
}
