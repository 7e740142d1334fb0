#include "load/run.hpp"

#include "load/connection.hpp"
#include "support/check.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace bench::load {
namespace {

using namespace std::chrono_literals;

clock::duration from_seconds(double seconds) {
  return std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(seconds));
}

void await_server(const sockaddr_in& server, std::uint16_t port) {
  const auto deadline = clock::now() + 10s;
  while (clock::now() < deadline) {
    const coppice::os::unique_fd socket{
        check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0)
      return;
    std::this_thread::sleep_for(10ms);
  }
  throw std::runtime_error("nothing listens on port " + std::to_string(port));
}

class generator {
public:
  explicit generator(const options& wanted);
  std::string run();

private:
  void begin_due(clock::time_point now);
  void poll();
  void expire(clock::time_point now);

  const options& wanted_;
  const clock::duration gap_; ///< between open-loop starts; zero in the closed loop
  coppice::os::unique_fd epoll_;
  surroundings around_;
  std::vector<connection> connections_;
  std::vector<std::uint32_t> free_;
  clock::time_point next_start_, next_sweep_;
};

generator::generator(const options& wanted)
    : wanted_{wanted},
      gap_{wanted.rate > 0 ? from_seconds(1 / wanted.rate) : clock::duration{}},
      epoll_{check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")},
      connections_(wanted.connections) {
  around_.server.sin_family = AF_INET;
  around_.server.sin_port = htons(wanted.port);
  around_.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  around_.request = "GET " + wanted.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: " +
                    (wanted.keep_alive ? "keep-alive" : "close") + "\r\n\r\n";
  around_.keep_alive = wanted.keep_alive;
  around_.epoll = epoll_.get();
  for (auto i = static_cast<std::uint32_t>(wanted.connections); i-- > 0;) free_.push_back(i);
}

std::string generator::run() {
  await_server(around_.server, wanted_.port);
  auto now = next_start_ = next_sweep_ = clock::now();
  const auto go_on_until = [&](clock::time_point end) {
    for (now = clock::now(); now < end; now = clock::now()) {
      begin_due(now);
      poll();
      expire(now);
    }
  };
  go_on_until(now + from_seconds(wanted_.warm_up));
  around_.results.start(wanted_);
  go_on_until(clock::now() + from_seconds(wanted_.seconds));
  around_.results.stop();
  return around_.results.json();
}

void generator::begin_due(clock::time_point now) {
  const bool open_loop = gap_ > 0ns;
  while (!free_.empty()) {
    auto scheduled = now;
    if (open_loop) {
      if (next_start_ > now) return;
      scheduled = next_start_;
      next_start_ += gap_;
    }
    const auto index = free_.back();
    connections_[index].begin(around_, index, scheduled);
    if (!connections_[index].idle()) {
      free_.pop_back();
    } else if (!open_loop) {
      return; // refused: once a round is enough
    }
  }
  if (open_loop && next_start_ <= now) around_.results.late();
}

void generator::poll() {
  auto wait = 10ms;
  if (gap_ > 0ns && !free_.empty()) {
    const auto due =
        std::chrono::duration_cast<std::chrono::milliseconds>(next_start_ - clock::now());
    wait = std::clamp(due, 0ms, 10ms);
  }
  std::array<epoll_event, 256> events;
  const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                             static_cast<int>(wait.count()));
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(n, 0)); ++i) {
    const auto index = events[i].data.u32;
    auto& one = connections_[index];
    if (one.idle()) continue;
    one.on_event(around_, index, events[i].events);
    if (one.idle()) free_.push_back(index);
  }
}

/// Twenty times a second.
void generator::expire(clock::time_point now) {
  if (now < next_sweep_) return;
  next_sweep_ = now + 50ms;
  for (std::uint32_t index = 0; index < connections_.size(); ++index) {
    auto& one = connections_[index];
    if (one.idle() || now - one.started() <= wanted_.timeout) continue;
    one.expire(around_);
    free_.push_back(index);
  }
}

} // namespace

std::string run(const options& wanted) { return generator{wanted}.run(); }

} // namespace bench::load
