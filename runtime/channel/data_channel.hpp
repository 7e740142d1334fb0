#pragma once
// One end of a data channel: an AF_UNIX SOCK_STREAM socket on the loop that carries frames
// (wire/frame.hpp), many per system call. It knows where a frame ends and not what is in it.
// Descriptors sent on it are dropped.
//
// Thread-safety: none; everything happens on the loop's thread. Lifetime: it may be destroyed at
// any time, in its own callbacks too; after that no callback comes. It is destroyed before the
// io_context, and the handler lives as long as it does or until close().

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <span>

namespace coppice {

class data_channel {
public:
  using bytes = std::span<const std::byte>;

  /// Called from the loop, never from inside a call into the channel but drain_now.
  class handler {
  public:
    virtual ~handler() = default;
    /// The bodies of the whole frames that one read brought, in order; at least one. They are
    /// valid during the call.
    virtual void on_envelopes(std::span<const bytes> bodies) = 0;
    /// What waited to be sent is down to limits::mail_low bytes after it was above
    /// limits::mail_high, or all of it is sent after some had to wait for room.
    virtual void on_room() {}
    /// The channel has ended, and is closed. An orderly end has the verb "closed"; anything else
    /// went wrong: "receive data: ...", "decode frame: ..." or "send data: ...". At most once.
    virtual void on_closed(const error& why) = 0;
  };

  /// Takes a non-blocking SOCK_STREAM socket.
  data_channel(asio::io_context& loop, os::unique_fd socket);
  data_channel(data_channel&&) = delete;
  ~data_channel();

  /// Begin to receive. Call it once.
  void start(handler& to);

  /// Sends whole frames, prefix included (wire::append_frame, wire::append_envelope). What is sent
  /// in one round of the loop leaves together at its end. False: nothing of it will be sent, since
  /// the channel has ended or more than limits::data_queue bytes would wait; the channel goes on
  /// then, and the caller decides.
  bool send(bytes frames);

  /// Sends whole frames given in pieces, at once and from where they are; only what the socket has
  /// no room for is copied. For a caller that has a batch. Order is kept between both kinds.
  bool send(std::span<const bytes> pieces);

  /// Sends what waits for the end of the round, as far as the socket has room: for the end of a
  /// process. What still waits then is in queued_bytes.
  void flush();

  /// For when the other process is dead: gives on_envelopes what is still in the socket, without
  /// waiting for an end that a descendant of that process may withhold, and closes. No on_closed.
  /// Not to be called from on_envelopes.
  void drain_now();

  /// Close without another callback. What waited to be sent is dropped.
  void close();

  /// Bytes that wait for room in the socket or for the end of the round.
  [[nodiscard]] std::size_t queued_bytes() const noexcept;

private:
  class state;
  std::shared_ptr<state> state_;
};

} // namespace coppice
