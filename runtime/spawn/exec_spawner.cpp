#include <coppice/runtime/spawn/exec_spawner.hpp>

#include <coppice/runtime/spawn/boot_letter.hpp>
#include <coppice/runtime/spawn/program_start.hpp>

#include <asio/post.hpp>
#include <unistd.h>
#include <utility>

namespace coppice {

exec_spawner::exec_spawner(asio::io_context& loop, logger& log, exec_options options)
    : loop_{loop},
      log_{log},
      options_{std::move(options)} {}

exec_spawner::~exec_spawner() = default;

void exec_spawner::spawn(spawn_request request, on_spawned done) {
  result<os::child_process> child =
      stopped_ ? failure_because("spawn", request.name, "the spawner has stopped") : start(request);
  if (child) log_.debug("{}: process {} started by exec", request.name, child->pid());
  // What is in the handler when the loop drops it is killed and reaped with it.
  asio::post(loop_, [alive = std::weak_ptr{alive_}, done = std::move(done),
                     child = std::move(child)]() mutable {
    if (!alive.expired()) done(std::move(child));
  });
}

void exec_spawner::stop() { stopped_ = true; }

result<os::child_process> exec_spawner::start(const spawn_request& request) {
  program_start program;
  program.executable = options_.executable;
  program.argv = options_.argv;
  program.environment = {std::string{boot::role} + "=worker",
                         std::string{boot::worker} + "=" +
                             boot::write_letter({request.group, request.name, request.worker_id,
                                                 request.incarnation, ::getpid()})};
  program.steps = request.setup;
  const auto give = [&](const os::unique_fd& fd, int theirs) {
    if (fd) program.descriptors.push_back({fd.get(), theirs});
  };
  give(request.in, STDIN_FILENO);
  give(request.out, STDOUT_FILENO);
  give(request.err, STDERR_FILENO);
  give(request.control, boot::worker_control);
  give(request.data, boot::worker_data);
  give(request.ledger, boot::worker_ledger);
  return start_program(program);
}

} // namespace coppice
