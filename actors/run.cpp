#include <coppice/actors/primary.hpp>
#include <coppice/actors/run.hpp>
#include <coppice/runtime/os/process_title.hpp>
#include <coppice/runtime/os/rlimits.hpp>
#include <coppice/runtime/os/signal_source.hpp>
#include <coppice/runtime/os/standard_streams.hpp>
#include <coppice/runtime/os/state_directory.hpp>
#include <coppice/runtime/spawn/boot_letter.hpp>
#include <coppice/runtime/spawn/process_role.hpp>
#include <coppice/runtime/spawn/zygote.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>

namespace coppice {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_bad_spec = 2;

std::vector<std::string> arguments(int argc, char** argv) { return {argv, argv + argc}; }

int run_group(const service_spec& spec, const std::vector<numbered_group>& groups,
              worker_boot boot) {
  const auto log = make_stderr_logger(boot.name, spec.verbosity);
  for (const auto& numbered : groups)
    if (numbered.group->name == boot.group)
      return run_worker(std::move(boot), numbered.group->body, *log);
  log->error("this program has no pool or agent called '{}'", boot.group);
  return exit_bad_spec;
}

int run_as_zygote(const service_spec& spec, os::process_title& title) {
  const auto log = make_stderr_logger("zygote", spec.verbosity);
  const auto groups = number_groups(spec); // once for all workers, as the time zone's file is read
  ::tzset();
  return run_zygote(
      *log, title, [&](worker_boot boot) { return run_group(spec, groups, std::move(boot)); },
      spec.preload, [&] { rehearse_worker(*make_stderr_logger("spare", spec.verbosity)); });
}

int run_as_worker(const service_spec& spec, os::process_title& title) {
  auto boot = boot_exec_worker();
  if (!boot) {
    make_stderr_logger("worker", spec.verbosity)->error("{}", boot.error().message());
    return exit_failed;
  }
  title.set(title_of(boot->name));
  return run_group(spec, number_groups(spec), std::move(*boot));
}

int run_as_primary(service_spec spec, std::vector<std::string> argv) {
  const auto log = make_stderr_logger(spec.name, spec.verbosity);
  auto inherited = inherited_sockets::from_environment();
  if (!inherited) {
    log->error("{}", inherited.error().message());
    return exit_failed;
  }
  const bool survives_hangup = std::signal(SIGHUP, SIG_DFL) == SIG_IGN; // nohup(1)
  os::reset_signals();
  if (survives_hangup) std::signal(SIGHUP, SIG_IGN);
  if (const auto errors = validate(spec); !errors.empty()) {
    for (const auto& line : errors) log->error("{}", line);
    return exit_bad_spec;
  }
  const auto state = os::state_directory::open(spec.state_dir, spec.name);
  if (!state) {
    log->error("{}", state.error().message());
    return exit_failed;
  }
  if (auto raised = os::raise_open_files(); !raised) log->warn("{}", raised.error().message());

  asio::io_context io{1};
  std::optional<int> code;
  std::optional<primary> service;
  os::signal_source signals{io, {SIGTERM, SIGINT, SIGQUIT, SIGHUP}, [&](int number) {
                              log->info("SIG{}: stopping", sigabbrev_np(number));
                              service->stop();
                            }};
  service.emplace(
      io, std::move(spec), *log,
      primary_options{"/proc/self/exe", state->path(), std::move(argv), *std::move(inherited)});
  auto started = service->start([&](int exit_code) {
    code = exit_code;
    io.stop();
  });
  if (!started) {
    log->error("{}", started.error().message());
    return exit_failed;
  }
  io.run();
  service.reset();
  return code.value_or(exit_failed);
}

} // namespace

int run(int argc, char** argv, service_spec spec) {
  os::open_standard_streams();
  auto args = arguments(argc, argv);
  if (spec.name.empty())
    spec.name = args.empty() ? "coppice" : std::filesystem::path{args[0]}.filename().string();
  // Before the role is taken out: the title's room is arguments and environment as exec left them.
  std::optional<os::process_title> title;
  if (std::getenv(boot::role) != nullptr) title.emplace(argc, argv);
  const auto role = current_role();
  if (!role) {
    make_stderr_logger(spec.name)->error(
        "COPPICE_ROLE is set to something unknown; it is not for you to set");
    return exit_bad_spec;
  }
  if (*role == process_role::primary) return run_as_primary(std::move(spec), std::move(args));
  return *role == process_role::zygote ? run_as_zygote(spec, *title) : run_as_worker(spec, *title);
}

} // namespace coppice
