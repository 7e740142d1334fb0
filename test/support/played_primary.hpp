#pragma once
// A test that plays the primary to one real worker process: fork, a control channel, a data
// channel, a ledger. Every wait has a deadline.

#include "support/catch.hpp"
#include "support/loopback.hpp"

#include <coppice/runtime/lease/ledger.hpp>
#include <coppice/runtime/messages/own_messages.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/fd_passing.hpp>
#include <coppice/runtime/os/memfd.hpp>
#include <coppice/runtime/os/signal_source.hpp>
#include <coppice/runtime/os/socket_pair.hpp>
#include <coppice/runtime/wire/control.hpp>
#include <coppice/runtime/worker/worker_main.hpp>

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coppice::test {

class played_primary {
public:
  explicit played_primary(const worker_body& body) {
    auto control = os::seqpacket_pair();
    auto data = os::stream_pair();
    auto memory = os::sealed_memfd("coppice-ledger", ledger_size);
    REQUIRE(control);
    REQUIRE(data);
    REQUIRE(memory);
    auto ours = os::duplicate(memory->get());
    REQUIRE(ours);
    child_ = ::fork();
    REQUIRE(child_ >= 0);
    if (child_ == 0) {
      control->ours.reset();
      data->ours.reset();
      os::reset_signals();
      const auto log = make_stderr_logger("web/2", log_level::off);
      worker_boot boot{"web", "web/2", 7, 3, {}, {}, {}, ::getppid()};
      boot.control = std::move(control->theirs);
      boot.data = std::move(data->theirs);
      boot.ledger = std::move(*memory);
      ::_exit(run_worker(std::move(boot), body, *log));
    }
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, child_, 0)));
    REQUIRE(pidfd_);
    control_ = std::move(control->ours);
    data_ = std::move(data->ours);
    ledger_.emplace(std::move(*ours));
  }
  played_primary(const played_primary&) = delete;
  played_primary& operator=(const played_primary&) = delete;
  ~played_primary() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  [[nodiscard]] pid_t pid() const { return child_; }
  [[nodiscard]] ledger_reader& ledger() { return *ledger_; }

  /// The next message of the worker; none when it has closed its end.
  std::optional<wire::control_message> receive() {
    REQUIRE(await(control_.get(), POLLIN));
    std::byte buffer[64 * 1024];
    std::vector<os::unique_fd> fds;
    const auto got = os::receive_with_fds(control_.get(), buffer, fds);
    if (got.status != os::io_status::done) return std::nullopt;
    auto message = wire::decode_control(std::span{buffer}.first(got.bytes));
    REQUIRE(message);
    return std::move(*message);
  }

  /// The next message, which must be a `Message`.
  template <class Message>
  Message expect() {
    auto message = receive();
    REQUIRE(message);
    INFO("got " << wire::name_of(*message));
    REQUIRE(std::holds_alternative<Message>(*message));
    return std::get<Message>(std::move(*message));
  }

  void expect_end_of_channel() { REQUIRE_FALSE(receive().has_value()); }

  void expect_start() {
    expect<wire::hello>();
    expect<wire::ready>();
  }

  template <class Message>
  void say(const Message& message, std::span<const int> fds = {}) {
    wire::buffer out;
    say_bytes(wire::encode_control(message, out), fds);
    if constexpr (std::is_same_v<Message, wire::drain>) send_last();
  }
  /// What the primary's mailbox does when it asks for a drain.
  void send_last() { send_frames(last_message(7)); }
  void send_frames(std::span<const std::byte> frames) {
    const auto sent = ::send(data_.get(), frames.data(), frames.size(), MSG_NOSIGNAL);
    REQUIRE(sent == static_cast<ssize_t>(frames.size()));
  }
  void say_bytes(std::span<const std::byte> packet, std::span<const int> fds = {}) {
    REQUIRE(os::send_with_fds(control_.get(), packet, fds).status == os::io_status::done);
  }
  void say_text(std::string_view packet) {
    say_bytes(std::as_bytes(std::span{packet.data(), packet.size()}));
  }

  /// Offers the server's side of a new connection and gives the client's side.
  os::unique_fd give_connection(std::uint64_t id) {
    auto pair = make_tcp_pair();
    const int fd = pair.server.get();
    say(wire::connections{{{id, 0}}}, {&fd, 1});
    return std::move(pair.client);
  }

  void signal(int number) { REQUIRE(::kill(child_, number) == 0); }
  /// The primary is gone, as far as the worker can see.
  void vanish() {
    control_.reset();
    data_.reset();
  }

  /// Waits for the worker's end: its exit code, or minus the signal that killed it.
  int exit_code() {
    REQUIRE(await(pidfd_.get(), POLLIN));
    int status = 0;
    REQUIRE(::waitpid(child_, &status, 0) == child_);
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

private:
  pid_t child_ = 0;
  os::unique_fd pidfd_;
  os::unique_fd control_;
  os::unique_fd data_;
  std::optional<ledger_reader> ledger_;
};

} // namespace coppice::test
