#include <coppice/runtime/spawn/zygote.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/environment.hpp>
#include <coppice/runtime/os/fd_passing.hpp>
#include <coppice/runtime/os/orphan_guard.hpp>
#include <coppice/runtime/os/signal_source.hpp>
#include <coppice/runtime/spawn/birth_register.hpp>
#include <coppice/runtime/spawn/boot_letter.hpp>
#include <coppice/runtime/spawn/fork_worker.hpp>
#include <coppice/runtime/spawn/forked_worker.hpp>
#include <coppice/runtime/spawn/spawn_order.hpp>
#include <coppice/runtime/wire/control.hpp>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace coppice {
namespace {

struct zygote_letter {
  pid_t primary = 0;
  fork_way way = fork_way::clone;
};

result<zygote_letter> take_letter() {
  zygote_letter letter;
  const auto primary = os::take_environment(boot::primary);
  if (!primary) return failure_because("boot zygote", boot::primary, "not set");
  const auto pid = boot::read_number(*primary, boot::primary);
  if (!pid) return tl::make_unexpected(pid.error());
  letter.primary = static_cast<pid_t>(*pid);
  const auto way = fork_way_named(os::take_environment(boot::fork_way).value_or(""));
  if (!way) return failure_because("boot zygote", boot::fork_way, "no such way");
  letter.way = *way;
  return letter;
}

std::uint32_t count_threads() {
  std::error_code failed;
  std::uint32_t count = 0;
  for (std::filesystem::directory_iterator each{"/proc/self/task", failed}, end;
       !failed && each != end; each.increment(failed))
    ++count;
  return count;
}

class zygote {
public:
  zygote(forked_parts parts, zygote_letter letter, os::unique_fd channel, birth_register births)
      : parts_{parts},
        letter_{letter},
        channel_{std::move(channel)},
        births_{std::move(births)},
        packet_(limits::control_packet) {}

  int run(std::string refusal) {
    wire::zygote_hello hello;
    hello.pid = ::getpid();
    hello.threads = count_threads();
    hello.error = std::move(refusal);
    if (hello.error.empty() && hello.threads > 1)
      hello.error = "it has " + std::to_string(hello.threads) + " threads, and fork copies one";
    if (!send(wire::encode_control(hello, out_))) return 1;
    if (!hello.error.empty()) return 1;
    for (;;) {
      auto order = await_order(channel_.get(), packet_);
      if (!order) {
        if (order.error().reason == "closed") return 0;
        parts_.log.error("{}", order.error().message());
        return 1;
      }
      if (!serve(*std::move(order))) return 1;
    }
  }

private:
  bool wait_for_room() {
    pollfd channel{channel_.get(), POLLOUT, 0};
    for (;;) {
      if (::poll(&channel, 1, -1) >= 0) return true;
      if (errno != EINTR) return false;
    }
  }

  bool send(std::span<const std::byte> packet, std::span<const int> fds = {}) {
    for (;;) {
      const auto sent = os::send_with_fds(channel_.get(), packet, fds);
      if (sent.status == os::io_status::done) return true;
      if (sent.status != os::io_status::would_block) return false;
      if (sent.error == ETOOMANYREFS) {
        // Nothing tells when there is room again, and the socket is always writable.
        ::poll(nullptr, 0, static_cast<int>(limits::descriptors_rest.count()));
      } else if (!wait_for_room()) {
        return false;
      }
    }
  }

  bool refuse(std::uint64_t request, std::string reason) {
    return send(wire::encode_control(wire::spawn_failed{request, std::move(reason)}, out_));
  }

  // False: the channel is gone.
  bool serve(received_order order) {
    const auto* spare = std::get_if<wire::spare>(&order.what);
    const auto request =
        spare != nullptr ? spare->request_id : std::get<wire::spawn>(order.what).request_id;
    // Out of descriptors, most likely. The next request may find some.
    if (!order.whole) return refuse(request, "descriptors were lost on the way to the zygote");
    std::fflush(nullptr); // or the worker writes it, too
    births_.begin(request);
    const auto pid = fork_worker(letter_.way, births_);
    if (!pid) return refuse(request, pid.error().message());
    if (*pid == 0) {
      births_.unmap();
      (void)channel_.release(); // closed with everything else that is not the worker's
      if (spare != nullptr) become_spare(parts_, std::move(order.fds.front()), letter_.primary);
      become_worker(parts_, std::move(order), letter_.primary);
    }
    // The worker is the primary's child, and the primary waits for none that it does not know: the
    // pid is the worker's own until it has our answer.
    const os::unique_fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0))};
    if (!pidfd) {
      parts_.log.error("open pidfd of {}: {}", *pid,
                       std::error_code{errno, std::system_category()}.message());
      return false; // the register tells the primary of the worker
    }
    const int carried = pidfd.get();
    return send(wire::encode_control(wire::spawned{request, *pid}, out_), {&carried, 1});
  }

  forked_parts parts_;
  zygote_letter letter_;
  os::unique_fd channel_;
  birth_register births_;
  std::vector<std::byte> packet_;
  wire::buffer out_;
};

/// What stands in the way of being a zygote; empty: nothing.
std::string run_preload(const std::function<void()>& preload) {
  try {
    if (preload) preload();
    return {};
  } catch (const std::exception& thrown) {
    return std::string{"preload: "} + thrown.what();
  } catch (...) {
    return "preload: unknown exception";
  }
}

} // namespace

int run_zygote(logger& log, os::process_title& title, const worker_main& body,
               const std::function<void()>& preload, const std::function<void()>& rehearse) {
  os::reset_signals();
  auto letter = take_letter();
  if (!letter) {
    log.error("{}", letter.error().message());
    return 1;
  }
  os::kill_with_parent(letter->primary);
  // What preload may exec must not have them.
  ::fcntl(boot::zygote_channel, F_SETFD, FD_CLOEXEC);
  ::fcntl(boot::zygote_births, F_SETFD, FD_CLOEXEC);
  os::unique_fd channel{boot::zygote_channel};
  auto births = birth_register::map(os::unique_fd{boot::zygote_births});
  if (!births) {
    log.error("{}", births.error().message());
    return 1;
  }
  title.set("coppice: zygote");
  auto refusal = run_preload(preload);
  const forked_parts parts{log, title, body, rehearse};
  if (refusal.empty()) rehearse_once(parts); // what is bound and set up here, all workers have
  os::reset_signals(); // what preload has set is not for the workers, who inherit it
  return zygote{parts, *letter, std::move(channel), *std::move(births)}.run(std::move(refusal));
}

} // namespace coppice
