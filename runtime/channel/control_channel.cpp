#include <coppice/runtime/channel/control_channel.hpp>

#include <coppice/runtime/channel/loop_socket.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/duplicate.hpp>
#include <coppice/runtime/os/fd_passing.hpp>

#include <asio/steady_timer.hpp>
#include <cerrno>
#include <deque>
#include <optional>
#include <string>
#include <utility>

namespace coppice {

// What the loop calls back owns the state, so that the channel can be destroyed meanwhile: the
// socket is closed and `handler_` null then, and the callback returns.
class control_channel::state : public std::enable_shared_from_this<state> {
public:
  state(asio::io_context& loop, os::unique_fd socket)
      : socket_{loop, std::move(socket)},
        retry_{loop},
        buffer_{std::make_unique_for_overwrite<std::byte[]>(limits::control_packet)} {}

  void start(handler& to) {
    handler_ = &to;
    if (failure_) return end_later();
    await_input();
  }

  bool send(std::span<const std::byte> packet, std::span<const int> fds) {
    if (failure_ || !socket_.is_open()) return false;
    if (packet.empty() || packet.size() > limits::control_packet ||
        fds.size() > limits::control_fds)
      return fail({"send", "control", {}, "a packet breaks the limits"});
    if (!waiting_.empty()) return keep(packet, fds);

    const auto sent = os::send_with_fds(socket_.get(), packet, fds);
    if (sent.status == os::io_status::done) return true;
    if (sent.status != os::io_status::would_block) return fail(send_error(sent.error));
    if (!keep(packet, fds)) return false;
    await_room(sent.error);
    return true;
  }

  void drain_now() {
    for (std::size_t i = 0; i < limits::control_drain && handler_ != nullptr; ++i) {
      if (const auto got = receive_one(); !got || !*got) break;
    }
    close();
  }

  void close() {
    handler_ = nullptr;
    waiting_.clear();
    retry_.cancel();
    socket_.close();
  }

  [[nodiscard]] std::size_t queued() const noexcept { return waiting_.size(); }

private:
  struct waiting_packet {
    std::vector<std::byte> bytes;
    std::vector<os::unique_fd> fds;
  };

  static error send_error(int code) {
    return {"send", "control", {code, std::system_category()}, {}};
  }

  // ---- receive

  void await_input() {
    socket_.on_input([self = shared_from_this()] { self->receive_some(); });
  }

  // A bounded number of packets; then the rest of the loop has its turn.
  void receive_some() {
    for (std::size_t i = 0; i < limits::control_batch && handler_ != nullptr; ++i) {
      const auto got = receive_one();
      if (!got) return end(got.error());
      if (!*got) break;
    }
    if (handler_ != nullptr) await_input();
  }

  // Gives the handler one packet. False: there is none now. An error: there will be none.
  result<bool> receive_one() {
    std::vector<os::unique_fd> fds;
    const auto got =
        os::receive_with_fds(socket_.get(), {buffer_.get(), limits::control_packet}, fds);
    switch (got.status) {
    case os::io_status::would_block:
      return false;
    case os::io_status::closed:
      return failure_because("closed", "", "");
    case os::io_status::failed:
      return system_failure("receive", "control", got.error);
    case os::io_status::done:
      break;
    }
    if (got.truncated_bytes)
      return failure_because("receive", "control", "a packet is longer than the limit");
    handler_->on_packet({buffer_.get(), got.bytes}, std::move(fds));
    return true;
  }

  // ---- send

  bool keep(std::span<const std::byte> packet, std::span<const int> fds) {
    if (waiting_.size() == limits::control_queue)
      return fail({"send", "control", {}, "the other side does not read, and the queue is full"});
    waiting_packet kept{{packet.begin(), packet.end()}, {}};
    kept.fds.reserve(fds.size());
    for (const int fd : fds) {
      auto own = os::duplicate(fd);
      if (!own) return false;
      kept.fds.push_back(std::move(*own));
    }
    waiting_.push_back(std::move(kept));
    return true;
  }

  void await_room(int code) {
    const auto again = [self = shared_from_this()] { self->send_waiting(); };
    if (code != ETOOMANYREFS) return socket_.on_room(again);
    // The socket is writable all the time: waiting for that would spin.
    retry_.expires_after(limits::descriptors_rest);
    retry_.async_wait([again](const std::error_code& stopped) {
      if (!stopped) again();
    });
  }

  void send_waiting() {
    std::vector<int> fds;
    while (!waiting_.empty()) {
      const auto& next = waiting_.front();
      fds.clear();
      for (const auto& fd : next.fds) fds.push_back(fd.get());
      const auto sent = os::send_with_fds(socket_.get(), next.bytes, fds);
      if (sent.status == os::io_status::would_block) return await_room(sent.error);
      if (sent.status != os::io_status::done) return void(fail(send_error(sent.error)));
      waiting_.pop_front();
    }
  }

  // ---- end

  // Nothing can be sent any more. Never calls the handler from here: the caller is inside send.
  bool fail(error why) {
    failure_ = std::move(why);
    waiting_.clear();
    if (handler_ != nullptr) end_later();
    return false;
  }

  // What the other side sent before is still given out; if it has ended, that is the reason told.
  void end_later() {
    socket_.later([self = shared_from_this()] {
      for (std::size_t i = 0; i < limits::control_drain && self->handler_ != nullptr; ++i) {
        const auto got = self->receive_one();
        if (!got) return self->end(got.error());
        if (!*got) break;
      }
      if (self->handler_ != nullptr) self->end(*self->failure_);
    });
  }

  void end(error why) {
    auto* told = std::exchange(handler_, nullptr);
    close();
    if (told != nullptr) told->on_closed(why);
  }

  loop_socket socket_;
  asio::steady_timer retry_;
  std::unique_ptr<std::byte[]> buffer_;
  std::deque<waiting_packet> waiting_;
  handler* handler_ = nullptr;
  std::optional<error> failure_;
};

control_channel::control_channel(asio::io_context& loop, os::unique_fd socket)
    : state_{std::make_shared<state>(loop, std::move(socket))} {}
control_channel::~control_channel() { state_->close(); }

void control_channel::start(handler& to) { state_->start(to); }
bool control_channel::send(std::span<const std::byte> packet, std::span<const int> fds) {
  return state_->send(packet, fds);
}
void control_channel::drain_now() {
  const auto keep = state_; // a callback may destroy *this
  keep->drain_now();
}
void control_channel::close() { state_->close(); }
std::size_t control_channel::queued() const noexcept { return state_->queued(); }

} // namespace coppice
