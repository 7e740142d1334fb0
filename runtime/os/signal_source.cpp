#include <coppice/runtime/os/signal_source.hpp>

#include <asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <sys/signalfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coppice::os {

void reset_signals() {
  for (int number = 1; number <= SIGRTMAX; ++number) {
    struct sigaction action {};
    action.sa_handler = number == SIGPIPE ? SIG_IGN : SIG_DFL;
    // SIGKILL, SIGSTOP and the two that glibc keeps for itself refuse; they are as they must be.
    (void)::sigaction(number, &action, nullptr);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

struct signal_source::state : std::enable_shared_from_this<state> {
  state(asio::io_context& loop, int fd, std::function<void(int)> handler)
      : readable{loop, fd},
        on_signal{std::move(handler)} {}

  void watch() {
    readable.async_wait(asio::posix::stream_descriptor::wait_read,
                        [weak = weak_from_this()](std::error_code failed) {
                          if (auto self = weak.lock(); self && !failed) self->take();
                        });
  }

  void take() {
    signalfd_siginfo info;
    while (on_signal && ::read(readable.native_handle(), &info, sizeof info) == sizeof info) {
      const auto handler = on_signal; // a copy: the call may destroy this source
      handler(static_cast<int>(info.ssi_signo));
    }
    if (on_signal) watch();
  }

  asio::posix::stream_descriptor readable;
  std::function<void(int)> on_signal;
};

signal_source::signal_source(asio::io_context& loop, std::initializer_list<int> signals,
                             std::function<void(int)> on_signal) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : signals) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) throw std::system_error{errno, std::system_category(), "create signalfd"};
  state_ = std::make_shared<state>(loop, fd, std::move(on_signal));
  state_->watch();
}

signal_source::~signal_source() {
  state_->on_signal = nullptr;
  state_->readable.close();
}

} // namespace coppice::os
