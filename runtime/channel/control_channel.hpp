#pragma once
// One end of a control channel: an AF_UNIX SOCK_SEQPACKET socket on the loop. Packets go whole and
// in order, and descriptors ride with the packet that speaks of them. It knows no message; see
// wire/control.hpp for those.
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
#include <vector>

namespace coppice {

class control_channel {
public:
  /// Called from the loop, never from inside a call into the channel but drain_now.
  class handler {
  public:
    virtual ~handler() = default;
    /// A whole packet and the descriptors that came with it. `packet` is valid during the call.
    /// Where this process had no room for all of the descriptors (MSG_CTRUNC, recvmsg(2)), it comes
    /// with none: who expects some sees that they are missing, and knows from the packet which.
    virtual void on_packet(std::span<const std::byte> packet, std::vector<os::unique_fd> fds) = 0;
    /// The channel has ended, and is closed. Everything the other side sent before has been given
    /// to on_packet. An orderly end has the verb "closed"; anything else went wrong here or there:
    /// "receive control: ..." or "send control: ...". Called at most once.
    virtual void on_closed(const error& why) = 0;
  };

  /// Takes a non-blocking SOCK_SEQPACKET socket.
  control_channel(asio::io_context& loop, os::unique_fd socket);
  control_channel(control_channel&&) = delete;
  ~control_channel();

  /// Begin to receive. Call it once.
  void start(handler& to);

  /// Sends `packet`, at most limits::control_packet bytes and not none, with at most
  /// limits::control_fds descriptors, now if the socket has room, else in its turn. The caller
  /// keeps `fds`; duplicates are made only if the packet must wait. False: the packet will not be
  /// sent, since the channel has ended or ends now (on_closed says so in a later round of the loop)
  /// or no descriptor was free for a duplicate. True is no promise that anybody reads it.
  bool send(std::span<const std::byte> packet, std::span<const int> fds = {});

  /// For when the other process is dead: gives on_packet what is still in the socket, without
  /// waiting for an end that a descendant of that process may withhold, and closes. No on_closed.
  /// Not to be called from on_packet.
  void drain_now();

  /// Close without another callback. What waited to be sent is dropped.
  void close();

  /// Packets that wait for room in the socket, at most limits::control_queue.
  [[nodiscard]] std::size_t queued() const noexcept;

private:
  class state;
  std::shared_ptr<state> state_;
};

} // namespace coppice
