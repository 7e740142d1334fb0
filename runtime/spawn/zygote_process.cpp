#include <coppice/runtime/spawn/zygote_process.hpp>

#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/socket_pair.hpp>
#include <coppice/runtime/spawn/boot_letter.hpp>
#include <coppice/runtime/spawn/program_start.hpp>
#include <coppice/runtime/spawn/spawn_order.hpp>

#include <array>
#include <csignal>
#include <poll.h>
#include <unistd.h>
#include <utility>
#include <variant>

namespace coppice {

result<std::unique_ptr<zygote_process>> zygote_process::start(asio::io_context& loop,
                                                              const std::string& executable,
                                                              const std::vector<std::string>& argv,
                                                              fork_way way, owner& to) {
  auto births = birth_reader::make();
  if (!births) return tl::make_unexpected(std::move(births.error()));
  auto channel = os::seqpacket_pair();
  if (!channel) return tl::make_unexpected(std::move(channel.error()));
  program_start program;
  program.executable = executable;
  program.argv = argv;
  program.environment = {std::string{boot::role} + "=zygote",
                         std::string{boot::primary} + "=" + std::to_string(::getpid()),
                         std::string{boot::fork_way} + "=" + std::string{to_string(way)}};
  program.descriptors = {{channel->theirs.get(), boot::zygote_channel},
                         {births->file(), boot::zygote_births}};
  auto process = start_program(program);
  if (!process) return tl::make_unexpected(std::move(process.error()));
  return std::unique_ptr<zygote_process>{new zygote_process{
      loop, *std::move(births), std::move(channel->ours), *std::move(process), to}};
}

zygote_process::zygote_process(asio::io_context& loop, birth_reader births, os::unique_fd channel,
                               os::child_process process, owner& to)
    : owner_{to},
      pid_{process.pid()},
      births_{std::move(births)},
      channel_{loop, std::move(channel)},
      hello_deadline_{loop},
      alive_{std::make_shared<zygote_process*>(this)} {
  process_.emplace(loop, std::move(process), [this](os::exit_status status) { exited(status); });
  channel_.start(*this);
  hello_deadline_.expires_after(limits::zygote_start);
  hello_deadline_.async_wait([alive = std::weak_ptr{alive_}](const std::error_code& stopped) {
    if (auto self = alive.lock(); self && !stopped) (*self)->kill("no hello in time");
  });
}

zygote_process::~zygote_process() = default;

bool zygote_process::order(std::uint64_t request_id, const spawn_request& request) {
  const auto packet = write_spawn(request_id, request, out_);
  return channel_.send(packet.bytes, packet.carried());
}

bool zygote_process::order_spare(std::uint64_t request_id, const os::unique_fd& letter) {
  const int carried = letter.get();
  return channel_.send(wire::encode_control(wire::spare{request_id}, out_), {&carried, 1});
}

void zygote_process::kill(std::string why) {
  if (why_killed_.empty()) why_killed_ = std::move(why);
  if (process_) (void)process_->process().signal(SIGKILL);
}

void zygote_process::end_now() {
  process_.reset();
  channel_.drain_now();
}

birth zygote_process::last_birth() const {
  const birth last = births_.read();
  // Ours now, as we are its subreaper; not reaped by anybody else. The session makes sure that the
  // pid means that process still: a worker is in a session of its own.
  if (last.middle == 0 || ::getsid(last.middle) != pid_) return last;
  auto middle = os::adopt_child(last.middle);
  if (!middle) return last;
  pollfd ended{middle->pidfd(), POLLIN, 0};
  ::poll(&ended, 1, static_cast<int>(std::chrono::milliseconds{limits::zygote_settle}.count()));
  return births_.read(); // `middle` is reaped
}

void zygote_process::on_packet(std::span<const std::byte> packet, std::vector<os::unique_fd> fds) {
  auto message = wire::decode_control(packet);
  if (!message) return kill(message.error().message());
  if (std::holds_alternative<wire::unknown>(*message)) return;
  // recvmsg(2) had no number free for the pidfd. Until we reap it the pid is the worker's.
  if (const auto* born = std::get_if<wire::spawned>(&*message); born && fds.empty())
    return owner_.on_answer(born->request_id, os::adopt_or_end(born->pid));
  if (fds.size() != wire::descriptors_of(*message))
    return kill("a packet with the wrong number of descriptors");
  if (const auto* hello = std::get_if<wire::zygote_hello>(&*message)) {
    hello_deadline_.cancel();
    owner_.on_hello(*hello);
  } else if (const auto* spawned = std::get_if<wire::spawned>(&*message)) {
    owner_.on_answer(spawned->request_id, os::child_process{spawned->pid, std::move(fds.front())});
  } else if (const auto* failed = std::get_if<wire::spawn_failed>(&*message)) {
    owner_.on_answer(failed->request_id, failure_because("spawn", "", failed->reason));
  } else {
    kill("a packet that no zygote sends");
  }
}

void zygote_process::on_closed(const error& why) {
  if (why.verb != "closed") return kill(why.message());
  // It has ended, most likely, and its exit says how. If it has not, it is of no use any more.
  if (process_) (void)process_->process().signal(SIGKILL);
}

void zygote_process::exited(os::exit_status status) {
  channel_.drain_now();
  hello_deadline_.cancel();
  owner_.on_ended(why_killed_.empty() ? status.text() : status.text() + ", " + why_killed_);
}

} // namespace coppice
