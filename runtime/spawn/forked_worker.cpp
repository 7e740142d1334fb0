#include <coppice/runtime/spawn/forked_worker.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/fd_passing.hpp>
#include <coppice/runtime/os/fd_table.hpp>
#include <coppice/runtime/os/orphan_guard.hpp>
#include <coppice/runtime/os/signal_source.hpp>
#include <coppice/runtime/spawn/process_settings.hpp>
#include <coppice/runtime/spawn/setup_child.hpp>
#include <coppice/runtime/wire/buffer.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <poll.h>
#include <string_view>
#include <sys/prctl.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace coppice {
namespace {

struct ordered_fds {
  os::unique_fd control, data, ledger, in, out, err;
};

ordered_fds sort_out(const wire::spawn& what, std::vector<os::unique_fd>& fds) {
  ordered_fds sorted;
  const std::array places{
      std::pair{wire::spawn_control, &sorted.control}, std::pair{wire::spawn_data, &sorted.data},
      std::pair{wire::spawn_ledger, &sorted.ledger},   std::pair{wire::spawn_in, &sorted.in},
      std::pair{wire::spawn_out, &sorted.out},         std::pair{wire::spawn_err, &sorted.err}};
  auto next = fds.begin();
  for (const auto& [bit, place] : places)
    if ((what.fds & bit) != 0 && next != fds.end()) *place = std::move(*next++);
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

/// Tells the primary why there will be no worker: the last thing that this process says.
void say_failed(int control, const std::string& why) {
  wire::buffer out;
  (void)os::send_with_fds(control, wire::encode_control(wire::failed{why}, out), {});
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

void guard(const forked_parts& parts, std::string_view name, pid_t primary) {
  if (auto guarded = os::die_with_parent(primary, limits::orphan_grace); !guarded) {
    parts.log.error("{}: {}", name, guarded.error().message());
    end_worker(1);
  }
}

/// Takes the steps of the order. After a change of identity the guard is set again, which that has
/// cleared. The kernel has also made the process undumpable then (prctl(2), PR_SET_DUMPABLE), and
/// /proc/self root's: that is for programs that gain secrets by exec. This one was forked by
/// whoever gave it the identity, and is to be debugged and to read about itself as any other.
void set_up(const forked_parts& parts, const wire::spawn& what, int control, pid_t primary) {
  const auto outcome = take_steps(what.setup);
  if (outcome.code != 0) {
    const auto why = step_error(what.setup[outcome.failed], outcome.code).message();
    parts.log.error("{}: {}", what.name, why);
    say_failed(control, why);
    end_worker(1);
  }
  take_environment_steps(what.setup);
  if (!changes_identity(what.setup)) return;
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (auto guarded = os::watch_parent_again(primary); !guarded) {
    parts.log.error("{}: {}", what.name, guarded.error().message());
    end_worker(1);
  }
}

[[noreturn]] void carry_out(const forked_parts& parts, wire::spawn what,
                            std::vector<os::unique_fd> fds, pid_t primary) {
  auto own = sort_out(what, fds);
  if (!put_at(own.in, STDIN_FILENO) || !put_at(own.out, STDOUT_FILENO) ||
      !put_at(own.err, STDERR_FILENO)) {
    const std::error_code why{errno, std::system_category()};
    parts.log.error("{}: set descriptors 0, 1, 2: {}", what.name, why.message());
    end_worker(1);
  }
  own.in.reset();
  own.out.reset();
  own.err.reset();
  close_what_is_not(own);
  if (!what.setup.empty()) set_up(parts, what, own.control.get(), primary);
  const std::string name = what.name;
  worker_boot boot{
      std::move(what.group),  std::move(what.name), what.worker_id,        what.incarnation,
      std::move(own.control), std::move(own.data),  std::move(own.ledger), primary};
  end_worker(run_body(parts.log, name, parts.body, std::move(boot)));
}

bool has_come(const os::unique_fd& letter) {
  pollfd waiting{letter.get(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) > 0;
}

} // namespace

void rehearse_once(const forked_parts& parts) {
  if (!parts.rehearse) return;
  try {
    parts.rehearse();
  } catch (const std::exception& thrown) { // a worker would say the same, with its name
    parts.log.debug("rehearsal: {}", thrown.what());
  }
  os::reset_signals();
}

void become_worker(const forked_parts& parts, received_order order, pid_t primary) {
  auto& what = std::get<wire::spawn>(order.what);
  // Before setsid: who leads a session and is called a zygote is one.
  parts.title.set(title_of(what.name));
  ::setsid(); // cannot fail: a new process leads no group
  guard(parts, what.name, primary);
  carry_out(parts, std::move(what), std::move(order.fds), primary);
}

void become_spare(const forked_parts& parts, os::unique_fd letter, pid_t primary) {
  os::kill_with_parent(primary); // it has nothing to finish
  parts.title.set(title_of("spare"));
  ::setsid();
  std::array keep{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, letter.get()};
  std::sort(keep.begin(), keep.end());
  os::close_all_but(keep);
  std::vector<std::byte> packet(limits::control_packet);
  if (!has_come(letter)) rehearse_once(parts); // it is wanted already otherwise
  auto order = await_order(letter.get(), packet);
  if (!order) {
    if (order.error().reason == "closed") end_worker(0);
    parts.log.error("spare: {}", order.error().message());
    end_worker(1);
  }
  auto* what = std::get_if<wire::spawn>(&order->what);
  if (what == nullptr || !order->whole) {
    parts.log.error("spare: {}", what == nullptr
                                     ? "an order that is no spawn"
                                     : what->name + ": descriptors were lost on the way to it");
    end_worker(1);
  }
  letter.reset();
  packet = {};
  parts.title.set(title_of(what->name));
  guard(parts, what->name, primary);
  carry_out(parts, std::move(*what), std::move(order->fds), primary);
}

} // namespace coppice
