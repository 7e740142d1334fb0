#include <coppice/runtime/channel/data_channel.hpp>

#include <coppice/runtime/channel/loop_socket.hpp>
#include <coppice/runtime/channel/output_queue.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/wire/frame.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>
#include <vector>

namespace coppice {

// What the loop calls back owns the state, so that the channel can be destroyed meanwhile: the
// socket is closed and `handler_` null then, and the callback returns.
class data_channel::state : public std::enable_shared_from_this<state> {
public:
  state(asio::io_context& loop, os::unique_fd socket) : socket_{loop, std::move(socket)} {}

  void start(handler& to) {
    handler_ = &to;
    if (failure_) return end_later();
    await_input();
  }

  bool send(bytes frames) {
    if (!accepts(frames.size())) return false;
    waiting_.add(frames);
    note_level();
    if (!output_due_) {
      output_due_ = true;
      socket_.later([self = shared_from_this()] { self->send_waiting(); });
    }
    return true;
  }

  bool send(std::span<const bytes> pieces) {
    std::size_t size = 0;
    for (const auto& piece : pieces) size += piece.size();
    if (!accepts(size)) return false;
    // While output waits for the end of the round or for room, this goes behind it.
    if (!waiting_.empty() && !awaiting_room_) flush();
    std::size_t sent = 0;
    if (waiting_.empty() && !failure_) sent = send_pieces(pieces);
    if (failure_) return false;
    for (const auto& piece : pieces) {
      const auto gone = std::min(sent, piece.size());
      sent -= gone;
      if (gone < piece.size()) waiting_.add(piece.subspan(gone));
    }
    note_level();
    if (!waiting_.empty() && !awaiting_room_) await_room();
    return true;
  }

  void flush_now() {
    if (socket_.is_open() && !awaiting_room_) flush();
    had_to_wait_ = had_to_wait_ || !waiting_.empty(); // its end is told
  }

  void drain_now() {
    std::size_t left = limits::data_drain;
    while (handler_ != nullptr) {
      const auto got = receive_once();
      if (!got || *got == 0 || *got >= left) break;
      left -= *got;
    }
    close();
  }

  void close() {
    handler_ = nullptr;
    waiting_.clear();
    socket_.close();
  }

  [[nodiscard]] std::size_t queued_bytes() const noexcept { return waiting_.size(); }

private:
  // ---- receive

  void await_input() {
    socket_.on_input([self = shared_from_this()] { self->receive_some(); });
  }

  // A bounded number of reads; then the rest of the loop has its turn.
  void receive_some() {
    for (std::size_t i = 0; i < limits::data_batch && handler_ != nullptr; ++i) {
      const auto got = receive_once();
      if (!got) return end(got.error());
      if (*got == 0 || !reader_.filled()) break;
    }
    if (handler_ != nullptr) await_input();
  }

  // One read, and its frames to the handler. Zero: there is nothing now. An error: there will be
  // nothing.
  result<std::size_t> receive_once() {
    const auto room = reader_.room();
    ssize_t size = 0;
    do {
      size = ::recv(socket_.get(), room.data(), room.size(), MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN) return std::size_t{0};
    // A stream gives out all that is queued before it tells of a peer that died: both are the end.
    if (size == 0 || (size < 0 && errno == ECONNRESET)) {
      if (reader_.held() == 0) return failure_because("closed", "", "");
      return failure_because("receive", "data", "it ended inside a frame");
    }
    if (size < 0) return system_failure("receive", "data");

    reader_.received(static_cast<std::size_t>(size));
    bodies_.clear();
    auto body = reader_.next();
    for (; body && *body; body = reader_.next()) bodies_.push_back(**body);
    if (!bodies_.empty()) handler_->on_envelopes(bodies_);
    if (!body) return tl::unexpected{body.error()};
    return static_cast<std::size_t>(size);
  }

  // ---- send

  [[nodiscard]] bool accepts(std::size_t size) const {
    return !failure_ && socket_.is_open() && size <= limits::data_queue - waiting_.size();
  }

  void send_waiting() {
    output_due_ = false;
    if (!socket_.is_open() || awaiting_room_) return;
    flush();
    if (!waiting_.empty()) await_room();
    tell_room();
  }

  // Once for each time that it was short.
  void tell_room() {
    const bool low = waiting_.size() <= limits::mail_low && std::exchange(above_, false);
    const bool all = waiting_.empty() && std::exchange(had_to_wait_, false);
    if ((low || all) && handler_ != nullptr) handler_->on_room();
  }

  void note_level() noexcept { above_ = above_ || waiting_.size() > limits::mail_high; }

  void await_room() {
    awaiting_room_ = had_to_wait_ = true;
    socket_.on_room([self = shared_from_this()] {
      self->awaiting_room_ = false;
      self->send_waiting();
    });
  }

  void flush() {
    while (!waiting_.empty()) {
      iovec piece{const_cast<std::byte*>(waiting_.front().data()), waiting_.size()};
      const auto sent = send_once({&piece, 1});
      if (sent == 0) return;
      waiting_.sent(sent);
    }
  }

  // How many of the pieces' bytes the socket took.
  std::size_t send_pieces(std::span<const bytes> pieces) {
    std::size_t all = 0;
    while (!pieces.empty()) {
      std::array<iovec, 64> batch;
      const auto count = std::min(batch.size(), pieces.size());
      std::size_t size = 0;
      for (std::size_t i = 0; i < count; ++i) {
        batch[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
        size += pieces[i].size();
      }
      const auto sent = send_once({batch.data(), count});
      all += sent;
      if (sent < size) return all;
      pieces = pieces.subspan(count);
    }
    return all;
  }

  // Zero: no room, or (with failure_) never again.
  std::size_t send_once(std::span<iovec> pieces) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    for (;;) {
      const auto sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent >= 0) return static_cast<std::size_t>(sent);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) fail(errno);
      return 0;
    }
  }

  // ---- end

  // Nothing can be sent any more. Never calls the handler from here: the caller is inside send.
  void fail(int code) {
    failure_ = error{"send", "data", {code, std::system_category()}, {}};
    waiting_.clear();
    if (handler_ != nullptr) end_later();
  }

  // What the other side sent before is still given out; if it has ended, that is the reason told.
  void end_later() {
    socket_.later([self = shared_from_this()] {
      std::size_t left = limits::data_drain;
      while (self->handler_ != nullptr) {
        const auto got = self->receive_once();
        if (!got) return self->end(got.error());
        if (*got == 0 || *got >= left) return self->end(*self->failure_);
        left -= *got;
      }
    });
  }

  void end(error why) {
    auto* told = std::exchange(handler_, nullptr);
    close();
    if (told != nullptr) told->on_closed(why);
  }

  loop_socket socket_;
  wire::frame_reader reader_;
  std::vector<bytes> bodies_;
  output_queue waiting_;
  bool output_due_ = false;    // send_waiting comes at the end of this round
  bool awaiting_room_ = false; // send_waiting comes when the socket has room
  bool had_to_wait_ = false;   // since everything was sent
  bool above_ = false;         // limits::mail_high, and not down to limits::mail_low since
  handler* handler_ = nullptr;
  std::optional<error> failure_;
};

data_channel::data_channel(asio::io_context& loop, os::unique_fd socket)
    : state_{std::make_shared<state>(loop, std::move(socket))} {}
data_channel::~data_channel() { state_->close(); }

void data_channel::start(handler& to) { state_->start(to); }
bool data_channel::send(bytes frames) { return state_->send(frames); }
bool data_channel::send(std::span<const bytes> pieces) { return state_->send(pieces); }
void data_channel::flush() { state_->flush_now(); }
void data_channel::drain_now() {
  const auto keep = state_; // a callback may destroy *this
  keep->drain_now();
}
void data_channel::close() { state_->close(); }
std::size_t data_channel::queued_bytes() const noexcept { return state_->queued_bytes(); }

} // namespace coppice
