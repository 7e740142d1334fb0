#include <coppice/runtime/spawn/forked_worker.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/fd_table.hpp>
#include <coppice/runtime/os/orphan_guard.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coppice {
namespace {

struct ordered_fds {
  os::unique_fd control, data, ledger, in, out, err;
};

ordered_fds sort_out(spawn_order& order) {
  ordered_fds sorted;
  const std::array places{
      std::pair{wire::spawn_control, &sorted.control}, std::pair{wire::spawn_data, &sorted.data},
      std::pair{wire::spawn_ledger, &sorted.ledger},   std::pair{wire::spawn_in, &sorted.in},
      std::pair{wire::spawn_out, &sorted.out},         std::pair{wire::spawn_err, &sorted.err}};
  auto next = order.fds.begin();
  for (const auto& [bit, place] : places)
    if ((order.what.fds & bit) != 0 && next != order.fds.end()) *place = std::move(*next++);
  return sorted;
}

bool put_at(const os::unique_fd& fd, int number) {
  return !fd || ::dup2(fd.get(), number) == number;
}

void close_what_is_not(const ordered_fds& own) {
  std::array keep{STDIN_FILENO,      STDOUT_FILENO,  STDERR_FILENO,
                  own.control.get(), own.data.get(), own.ledger.get()};
  std::sort(keep.begin(), keep.end());
  os::close_all_but(keep);
}

/// The end of a worker: what is buffered is written, the zygote's exit handlers are not run.
[[noreturn]] void end_worker(int code) {
  std::fflush(nullptr);
  ::_exit(code);
}

int run_body(logger& log, const std::string& name, const worker_main& body, worker_boot boot) {
  try {
    return body(std::move(boot));
  } catch (const std::exception& thrown) {
    log.error("{}: {}", name, thrown.what());
  } catch (...) {
    log.error("{}: unknown exception", name);
  }
  return 1;
}

} // namespace

void become_worker(logger& log, os::process_title& title, const worker_main& body,
                   spawn_order order, pid_t primary) {
  ::setsid(); // cannot fail: a new process leads no group
  auto own = sort_out(order);
  if (!put_at(own.in, STDIN_FILENO) || !put_at(own.out, STDOUT_FILENO) ||
      !put_at(own.err, STDERR_FILENO)) {
    const std::error_code why{errno, std::system_category()};
    log.error("{}: set descriptors 0, 1, 2: {}", order.what.name, why.message());
    end_worker(1);
  }
  own.in.reset();
  own.out.reset();
  own.err.reset();
  close_what_is_not(own);
  if (auto guarded = os::die_with_parent(primary, limits::orphan_grace); !guarded) {
    log.error("{}: {}", order.what.name, guarded.error().message());
    end_worker(1);
  }
  const std::string name = order.what.name;
  worker_boot boot{std::move(order.what.group), std::move(order.what.name),
                   order.what.worker_id,        order.what.incarnation,
                   std::move(own.control),      std::move(own.data),
                   std::move(own.ledger),       primary};
  title.set(title_of(boot));
  end_worker(run_body(log, name, body, std::move(boot)));
}

} // namespace coppice
