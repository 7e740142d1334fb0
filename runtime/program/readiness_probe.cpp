#include <coppice/runtime/program/readiness_probe.hpp>

#include <coppice/runtime/limits.hpp>

#include <array>
#include <asio/buffer.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <utility>

namespace coppice {
namespace {

using socket_type = asio::generic::stream_protocol::socket;

asio::generic::stream_protocol::endpoint address_of(const probe_target& target) {
  if (!target.path.empty()) return asio::local::stream_protocol::endpoint{target.path};
  return asio::ip::tcp::endpoint{asio::ip::make_address(target.host), target.port};
}

} // namespace

// Every try has a number: what comes back from an earlier one is not looked at.
struct readiness_probe::state : std::enable_shared_from_this<state> {
  state(asio::io_context& loop, probe_target where, std::function<void()> handler)
      : target{std::move(where)},
        request{target.request_target.empty() ? std::string{} : request_for(target)},
        on_ready{std::move(handler)},
        socket{loop},
        timer{loop} {}

  template <class F>
  auto guarded(F next) {
    return [weak = weak_from_this(), mine = attempt,
            next = std::move(next)](const std::error_code& failed, std::size_t bytes = 0) {
      const auto self = weak.lock();
      if (!self || self->attempt != mine || !self->on_ready) return;
      next(*self, failed, bytes);
    };
  }

  void try_once() {
    ++attempt;
    answer_size = 0;
    timer.expires_after(limits::probe_attempt);
    timer.async_wait(
        guarded([](state& self, const std::error_code&, std::size_t) { self.again(); }));
    socket.async_connect(address_of(target),
                         guarded([](state& self, const std::error_code& failed, std::size_t) {
                           if (failed) return self.again();
                           if (self.request.empty()) return self.done();
                           self.ask();
                         }));
  }

  void ask() {
    asio::async_write(socket, asio::buffer(request),
                      guarded([](state& self, const std::error_code& failed, std::size_t) {
                        if (failed) return self.again();
                        self.listen();
                      }));
  }

  void listen() {
    socket.async_read_some(
        asio::buffer(answer.data() + answer_size, answer.size() - answer_size),
        guarded([](state& self, const std::error_code& failed, std::size_t bytes) {
          if (failed) return self.again();
          self.answer_size += bytes;
          const auto good = answer_is_good({self.answer.data(), self.answer_size});
          if (!good) return self.listen();
          if (*good) return self.done();
          self.again();
        }));
  }

  void again() {
    stop_try();
    timer.expires_after(limits::probe_rest);
    timer.async_wait(guarded([](state& self, const std::error_code& failed, std::size_t) {
      if (!failed) self.try_once();
    }));
  }

  void done() {
    stop_try();
    if (const auto handler = std::exchange(on_ready, nullptr)) handler();
  }

  void stop_try() {
    ++attempt;
    std::error_code ignored;
    socket.close(ignored);
    timer.cancel();
  }

  probe_target target;
  std::string request;
  std::function<void()> on_ready;
  socket_type socket;
  asio::steady_timer timer;
  std::uint64_t attempt = 0;
  std::array<char, 32> answer{}; // the status line's beginning is all that counts
  std::size_t answer_size = 0;
};

readiness_probe::readiness_probe(asio::io_context& loop, probe_target target,
                                 std::function<void()> on_ready)
    : state_{std::make_shared<state>(loop, std::move(target), std::move(on_ready))} {
  state_->try_once();
}

readiness_probe::~readiness_probe() {
  state_->on_ready = nullptr;
  state_->stop_try();
}

} // namespace coppice
