#pragma once
// All connections of one worker: one epoll set of the runtime's own, level-triggered, which the
// loop watches as a single descriptor. Per readiness event there is one recv, and per answer one
// send; nothing is allocated per request. asio's own sockets would cost a speculative recv and a
// queued operation for each of these.
//
// Lifetime: destroyed before the io_context. Its connections' users get no callback from the
// destructor. Thread-safety: none; loop thread only.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/lease/lease_table.hpp>
#include <coppice/runtime/lease/ledger.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/runtime/worker/leased_connection.hpp>
#include <coppice/runtime/worker/look_again.hpp>

#include <array>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <vector>

namespace coppice {

class connection_set {
public:
  using factory = std::function<std::unique_ptr<connection_user>(leased_connection&)>;

  /// `owner` is what leased_connection::owner gives, `ledger` where exchanges are counted; both are
  /// borrowed. Fails if the kernel gives no epoll set (epoll_create1(2)).
  [[nodiscard]] static result<std::unique_ptr<connection_set>>
  open(asio::io_context& loop, worker* owner = nullptr, ledger_writer* ledger = nullptr);

  connection_set(const connection_set&) = delete;
  connection_set& operator=(const connection_set&) = delete;
  ~connection_set();

  /// Who serves the connections adopted from now on.
  void serve_with(factory make, protection movable = protection::none) {
    make_ = std::move(make);
    movable_ = movable;
  }
  [[nodiscard]] bool has_service() const noexcept { return static_cast<bool>(make_); }

  /// Takes a connection and receives from it at once: the request is usually there already, and a
  /// connection that is answered and closed never enters the epoll set.
  void adopt(os::unique_fd socket, std::uint64_t id, std::uint32_t listener);

  /// The same under protection: what happens to it is written down in slot `slot` of `leases`, and
  /// if another worker held it before, it goes on as is written there. Fails if there is no such
  /// slot; the connection is closed here then.
  [[nodiscard]] result<void> adopt(os::unique_fd socket, std::uint64_t id, std::uint32_t listener,
                                   lease_table& leases, std::uint32_t slot);

  /// Connections that hold a socket, those on their way out included.
  [[nodiscard]] std::size_t size() const noexcept { return open_; }
  /// One that was no connection's.
  void served_one() noexcept { exchange_done(); }
  /// Exchanges finished so far.
  [[nodiscard]] std::uint64_t served() const noexcept { return served_; }
  /// Called from the loop each time the last connection has gone.
  void on_empty(std::function<void()> f) { on_empty_ = std::move(f); }

  /// Called with what a user, or the factory, has thrown; that connection is reset then. Without it
  /// the exception goes on to the loop.
  void on_thrown(std::function<void(std::exception_ptr)> f) { on_thrown_ = std::move(f); }

  /// Called when a lease was given back, or a connection without one is over, and the primary waits
  /// to be told.
  void on_room(std::function<void()> f) { on_room_ = std::move(f); }

  /// The worker ends. With `yield`, connections under protection go on in another worker: each as
  /// soon as no exchange is in progress. The users of all others are told.
  void drain(bool yield = false);
  /// Closes everything now: output that the sockets do not take at once is lost.
  void hurry();

private:
  friend class leased_connection;
  using clock = leased_connection::clock;
  using state = leased_connection::state;
  class turn;

  connection_set(asio::io_context& loop, os::unique_fd epoll, worker* owner, ledger_writer* ledger);

  // ---- the loop
  void watch();
  void on_ready();
  /// How many events there were.
  int handle_batch();
  void handle(leased_connection& c, std::uint32_t events);
  void arm_sweep(clock::time_point when);
  void sweep();
  void on_deadline(leased_connection& c);

  // ---- under protection
  void begin(leased_connection& c, os::unique_fd socket, std::uint64_t id, std::uint32_t listener);
  void begin_user(leased_connection& c);
  void show_journal(leased_connection& c) noexcept;
  void receive_into_journal(leased_connection& c);
  void staged(leased_connection& c);
  void expose(leased_connection& c, bool untouched);
  void try_to_cover(leased_connection& c);
  void yield(leased_connection& c);
  void give_lease_back(leased_connection& c, lease_return how);

  // ---- one connection
  leased_connection& vacant_slot();
  template <class Callback>
  void call_user(leased_connection& c, Callback callback);
  void user_threw(leased_connection& c);
  void receive(leased_connection& c);
  void drop_input(leased_connection& c);
  void keep_input(leased_connection& c);
  void store(leased_connection& c, std::string_view bytes);
  void consume(leased_connection& c, std::size_t n);
  void hand_over(leased_connection& c, std::span<const std::string_view> pieces);
  void send_now(leased_connection& c, std::span<const std::string_view> pieces);
  void flush(leased_connection& c);
  void wrote(leased_connection& c);
  /// What follows from a callback, a call or an event: input kept, output sent, the close carried
  /// on.
  void settle(leased_connection& c);
  void update_interest(leased_connection& c, bool noticed = false);
  [[nodiscard]] static bool can_receive(const leased_connection& c) noexcept;
  void exchange_done() noexcept;

  // ---- the end of one
  void begin_close(leased_connection& c, close_mode how);
  void carry_on_close(leased_connection& c);
  void gone(leased_connection& c, std::error_code why);
  /// Leaves the epoll set and gives the socket up; the slot stays until its user is buried.
  [[nodiscard]] os::unique_fd detach(leased_connection& c);
  void retire_user(leased_connection& c);
  void bury();
  void vacate(leased_connection& c);
  void tell_empty();
  void later_turn();

  // ---- buffers
  void take_buffer(std::string& into);
  void give_buffer(std::string& from); ///< an empty one has none to give
  /// All of the output is out, or kept elsewhere.
  void drop_output(leased_connection& c);

  asio::io_context& loop_;
  worker* owner_;
  ledger_writer* ledger_;
  lease_table* leases_ = nullptr; ///< once a connection came with a lease
  factory make_;
  protection movable_ = protection::none;
  std::function<void()> on_empty_;
  std::function<void()> on_room_;
  std::function<void(std::exception_ptr)> on_thrown_;
  asio::posix::stream_descriptor epoll_;
  asio::steady_timer sweep_timer_;
  clock::time_point sweep_at_ = clock::time_point::max();
  std::deque<leased_connection> slots_; ///< a deque, so that they never move
  std::vector<std::uint32_t> vacant_;
  std::vector<std::uint32_t> burials_; ///< slots whose on_gone is to come
  std::vector<std::string> spare_;
  std::size_t open_ = 0;
  std::uint64_t served_ = 0;
  bool in_turn_ = false;     ///< something will bury before it returns to the loop
  bool turn_posted_ = false; ///< the same, through the loop
  bool emptied_ = false;     ///< on_empty is owed
  bool draining_ = false;
  look_again look_again_;
  std::shared_ptr<connection_set*> alive_ = std::make_shared<connection_set*>(this);
  std::array<epoll_event, limits::connection_events> events_;
  std::array<char, limits::connection_receive> scratch_;
};

} // namespace coppice
