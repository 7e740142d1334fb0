#pragma once
// One client connection as a worker serves it. It belongs to the tree: the worker only borrows it,
// exchange by exchange. It is not a socket wrapper for general use; a service that wants a stream
// uses `connection`, and http is written against this class.
//
// Lifetime: owned by the connection_set that adopted it, together with its connection_user. After
// `close` or `release`, and after the peer has gone, every call is harmless and does nothing; the
// reference is valid until the user's `on_gone` has returned.
// Thread-safety: none; every call is made, and every callback comes, on the worker's loop.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace coppice {

class connection_set;
class leased_connection;
class worker;

/// How a connection ends. In each case output that waits is written first, except for `reset`.
enum class close_mode {
  linger,  ///< end the output, read and drop until the peer ends too or limits::linger has passed:
           ///< for a peer that may still be sending, whose answer a close with unread input would
           ///< destroy
  at_once, ///< end the output and close: for a peer that promised to send nothing more
  reset,   ///< drop what waits and abort the connection: the peer sees ECONNRESET
};

/// Serves one connection. Made by the worker's `on_connection` factory when a connection is taken,
/// owned by the connection, destroyed after `on_gone`. No callback comes from inside a call that
/// the user makes; an exception that leaves a callback ends the worker with its text.
class connection_user {
public:
  virtual ~connection_user() = default;

  /// `input()` grew, or `input_ended()` became true. Comes again only when there is something new:
  /// what is left unconsumed waits for more bytes.
  virtual void on_input(leased_connection& connection) = 0;
  /// All output handed over has been written. Comes only if some of it had to wait for the peer.
  virtual void on_flushed(leased_connection& connection) { (void)connection; }
  /// The deadline set with `set_deadline` passed; it is unset by then.
  virtual void on_timeout(leased_connection& connection) { (void)connection; }
  /// The worker ends: finish what is in progress, then close. An idle connection closes now.
  virtual void on_drain(leased_connection& connection) = 0;
  /// The lease is over for this user, for whatever reason; called exactly once. `why` is empty if
  /// the user closed or released the connection, else what the socket reported.
  virtual void on_gone(leased_connection& connection, std::error_code why) {
    (void)connection;
    (void)why;
  }
};

class leased_connection {
public:
  leased_connection(connection_set& set, std::uint32_t slot) noexcept : set_{set}, slot_{slot} {}
  leased_connection(const leased_connection&) = delete;
  leased_connection& operator=(const leased_connection&) = delete;
  ~leased_connection();

  // ---- input

  /// The bytes received and not yet consumed. Valid until the next call that consumes, or until the
  /// callback returns to the loop.
  [[nodiscard]] std::string_view input() const noexcept { return {input_, input_size_}; }
  /// The peer has ended its output; everything before it is in `input()`.
  [[nodiscard]] bool input_ended() const noexcept { return input_ended_; }
  /// Stops receiving: the bytes stay in the socket, and the peer is slowed down by TCP. Costs
  /// nothing unless the peer goes on sending. A reset by the peer is noticed all the same.
  void pause_input() noexcept { paused_ = true; }
  /// Goes on receiving. `on_input` is not called for what is already in `input()`.
  void resume_input();
  /// Nothing is received while this many bytes or more wait in `input()`; by default
  /// limits::connection_input (128 KiB). A user that needs more unconsumed bytes at once must raise
  /// it, or no more would ever come.
  void set_input_limit(std::size_t bytes);

  // ---- output, as one exchange

  /// One exchange: `n` bytes of input are consumed and `answer` (the pieces are gathered) is
  /// staged, in one commit; then it is sent. What the socket does not take is kept and sent later.
  /// Not while streaming. Inside a callback, small answers leave together when it returns.
  void reply(std::size_t n, std::span<const std::string_view> answer);
  void reply(std::size_t n, std::string_view answer) { reply(n, {&answer, 1}); }
  /// Output of its own that consumes nothing: a 1xx.
  void interim(std::string_view answer);

  // ---- an exchange too large for one reply, either way

  /// From here to `end_stream` the exchange is streaming: a worker's death in between cannot be
  /// hidden.
  void begin_stream();
  /// The first `n` bytes of input are done with. Only while streaming.
  void consume(std::size_t n);
  /// Only while streaming. The bytes are copied if they cannot be sent at once: watch `unsent()`.
  void write(std::string_view bytes);
  void write(std::span<const std::string_view> pieces);
  /// The exchange is over.
  void end_stream();
  [[nodiscard]] bool streaming() const noexcept { return streaming_; }

  /// Bytes handed over and not yet taken by the socket. Above limits::connection_output (256 KiB)
  /// nothing is received until all of it is written, so that a peer that sends requests and reads
  /// no answers cannot fill the memory.
  [[nodiscard]] std::size_t unsent() const noexcept { return output_.size() - output_sent_; }

  // ---- the end

  /// No callback but `on_gone` comes after it; `on_gone` comes through the loop, also when the last
  /// bytes are still on their way.
  void close(close_mode how = close_mode::linger);
  /// `close` or `release` was called, or the peer has gone.
  [[nodiscard]] bool closed() const noexcept { return state_ != state::open; }

  /// Takes the socket and ends the lease; O_NONBLOCK is set. Consume or copy `input()` first.
  /// Empty, and nothing changes, if output still waits or the connection is closed.
  [[nodiscard]] os::unique_fd release();

  // ---- about it

  /// Whether the exchange in progress may be run again if this worker dies. Without leases nothing
  /// is.
  void replayable(bool yes) noexcept { replayable_ = yes; }
  [[nodiscard]] bool replayable() const noexcept { return replayable_; }
  /// How often the exchange in progress has been started, this time included: 1 is the first.
  [[nodiscard]] unsigned attempt() const noexcept { return attempt_; }
  /// The primary's number of this connection.
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  /// Which of the pool's listeners accepted it, counted from 0.
  [[nodiscard]] std::uint32_t listener() const noexcept { return listener_; }
  /// "127.0.0.1:51234", "[::1]:51234". Asks the kernel each time.
  [[nodiscard]] result<std::string> peer() const;

  /// `on_timeout` comes this long from now, or up to limits::deadline_sweep later; a new deadline
  /// replaces the old one, nothing unsets it. Cheap: no system call, unless it is the earliest of
  /// all.
  void set_deadline(std::optional<std::chrono::milliseconds> from_now);

  /// The worker that serves it.
  [[nodiscard]] worker& owner() noexcept;

private:
  friend class connection_set;
  using clock = std::chrono::steady_clock;

  enum class state : std::uint8_t {
    vacant,    ///< no connection: the slot waits for one
    open,      ///< served by its user
    flushing,  ///< closed by its user; output still waits for the peer
    lingering, ///< our FIN is sent; input is dropped until the peer's comes
    over,      ///< nothing is open any more; on_gone is still to come
  };

  /// What its events in the epoll set are called: the slot, and which of the slot's connections.
  [[nodiscard]] std::uint64_t key() const noexcept {
    return (static_cast<std::uint64_t>(generation_) << 32) | slot_;
  }

  connection_set& set_;
  const char* input_ = nullptr; ///< in the set's scratch during on_input, else in stored_
  std::size_t input_size_ = 0;
  std::uint32_t slot_;
  std::uint32_t generation_ =
      0; ///< counts connections of this slot: events of an old one are told apart
  os::unique_fd socket_;
  state state_ = state::vacant;
  close_mode close_how_ = close_mode::linger;
  bool input_ended_ = false;
  bool paused_ = false;
  bool streaming_ = false;
  bool replayable_ = false;
  bool dispatching_ = false;   ///< a callback of this connection is on the stack
  bool in_set_ = false;        ///< known to the epoll set
  bool flush_awaited_ = false; ///< output had to wait: on_flushed is owed
  bool burying_ = false;       ///< in the set's list of those whose on_gone is to come
  std::uint32_t interest_ = 0; ///< the events registered in the epoll set
  unsigned attempt_ = 1;
  std::uint32_t listener_ = 0;
  std::uint64_t id_ = 0;
  std::size_t input_limit_ = 0;
  std::size_t output_sent_ = 0; ///< bytes of output_ that are written
  std::string output_;          ///< handed over; empty and without memory when nothing waits
  std::string stored_;          ///< unconsumed input between callbacks; the same
  clock::time_point deadline_ = clock::time_point::max();
  std::unique_ptr<connection_user> user_;
  std::error_code gone_why_;
};

} // namespace coppice
