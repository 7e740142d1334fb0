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
#include <coppice/runtime/lease/lease_writer.hpp>
#include <coppice/runtime/lease/protection.hpp>
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
  /// The worker ends: finish what is in progress, then close. An idle connection closes now. It
  /// does not come to a connection that goes on in another worker.
  virtual void on_drain(leased_connection& connection) = 0;
  /// An exchange that another worker died over will not be run again, for this reason: answer so,
  /// and close. `input()` has what is known of it. By default the connection is reset.
  virtual void on_abandoned(leased_connection& connection, abandoned_why why);
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
  /// Whether its user waits for more than what is in `input()`; by default it does. One that does
  /// not is not given more than a lease's journal holds: beyond that, its exchange is not
  /// protected.
  void want_more(bool yes);
  /// Nothing is received while this many bytes or more wait in `input()`; by default
  /// limits::connection_input (128 KiB). A user that needs more unconsumed bytes at once must raise
  /// it, or no more would ever come.
  void set_input_limit(std::size_t bytes);

  // ---- output, as one exchange

  /// One exchange: `n` bytes of input are consumed and `answer` (the pieces are gathered) is
  /// staged, in one commit; then it is sent. What the socket does not take is kept and sent later.
  /// Not while streaming. Inside a callback, small answers leave together when it returns.
  /// `last`: the connection will be closed behind it, by this worker or by the one that goes on.
  void reply(std::size_t n, std::span<const std::string_view> answer, bool last = false);
  void reply(std::size_t n, std::string_view answer) { reply(n, std::span{&answer, 1}); }
  /// Output of its own that consumes nothing: a 1xx.
  void interim(std::string_view answer);
  /// Whether the exchange in progress has had one, here or in another worker.
  [[nodiscard]] bool interim_sent() const noexcept { return lease_ && lease_.state().interim_sent; }

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
  [[nodiscard]] std::size_t unsent() const noexcept { return waiting_output().size(); }

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

  /// User code is at the exchange in progress from here, and this says whether it may be run again
  /// if this worker dies. May be said again. Until it is said, the exchange is one that is still
  /// being read, and is given to another worker. Without protection::request nothing is run again.
  void replayable(bool yes) noexcept;
  [[nodiscard]] bool replayable() const noexcept { return replayable_; }
  /// Takes that back: the input was only looked at, and more of it is waited for.
  void reading() noexcept {
    if (lease_) lease_.reading();
  }
  /// How often the exchange in progress has been started, this time included: 1 is the first.
  [[nodiscard]] unsigned attempt() const noexcept { return lease_ ? lease_.attempt() : 1; }
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

  /// In its slot whole: what goes on here can go on elsewhere.
  [[nodiscard]] bool covered() const noexcept { return lease_ && !lease_.exposed(); }
  /// Handed over and not sent.
  [[nodiscard]] std::string_view waiting_output() const noexcept {
    return covered() ? lease_.unsent() : std::string_view{output_}.substr(output_sent_);
  }

  /// What its events in the epoll set are called: the slot, and which of the slot's connections.
  [[nodiscard]] std::uint64_t key() const noexcept {
    return (static_cast<std::uint64_t>(generation_) << 32) | slot_;
  }

  connection_set& set_;
  /// In the journal if it is covered; else in the set's scratch during on_input, or in stored_.
  const char* input_ = nullptr;
  std::size_t input_size_ = 0;
  std::uint32_t slot_;
  std::uint32_t generation_ =
      0; ///< counts connections of this slot: events of an old one are told apart
  os::unique_fd socket_;
  state state_ = state::vacant;
  close_mode close_how_ = close_mode::linger;
  bool input_ended_ = false;
  bool paused_ = false;
  bool more_wanted_ = true;
  bool streaming_ = false;
  bool replayable_ = false;
  bool dispatching_ = false;   ///< a callback of this connection is on the stack
  bool in_set_ = false;        ///< known to the epoll set
  bool flush_awaited_ = false; ///< output had to wait: on_flushed is owed
  bool burying_ = false;       ///< in the set's list of those whose on_gone is to come
  bool between_ = false;  ///< no exchange is in progress past the slot: it may be covered again
  bool yielding_ = false; ///< goes to another worker as soon as no exchange is in progress
  std::uint32_t interest_ = 0; ///< the events registered in the epoll set
  std::uint32_t listener_ = 0;
  std::uint64_t id_ = 0;
  std::size_t input_limit_ = 0;
  lease_writer lease_; ///< none: this worker's death is the connection's
  std::uint32_t lease_slot_ = 0;
  bool came_leased_ = false;    ///< it was offered with a lease
  std::size_t output_sent_ = 0; ///< bytes of output_ that are written
  std::string output_;          ///< handed over; empty and without memory when nothing waits
  std::string stored_;          ///< unconsumed input between callbacks; the same
  clock::time_point deadline_ = clock::time_point::max();
  std::unique_ptr<connection_user> user_;
  std::error_code gone_why_;
};

} // namespace coppice
