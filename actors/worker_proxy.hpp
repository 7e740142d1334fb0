#pragma once
// The image of one worker process in the primary: one actor for one incarnation. It starts the
// process, passes its readiness to supervisor and dispatcher, hands it connections and keeps a copy
// of each until it is taken, asks it to end, and reports its death. Everything that reaches it is
// one worker_event, and worker_phase.hpp says what that means in each phase.

#include <chrono>
#include <coppice/actors/health.hpp>
#include <coppice/actors/held_leases.hpp>
#include <coppice/actors/mail_sorter.hpp>
#include <coppice/actors/messages.hpp>
#include <coppice/actors/pool_roster.hpp>
#include <coppice/actors/untaken.hpp>
#include <coppice/actors/worker_phase.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/lease/crash_report_store.hpp>
#include <coppice/runtime/link/worker_link.hpp>
#include <coppice/runtime/log.hpp>
#include <memory>
#include <optional>
#include <string>

namespace coppice {

struct worker_proxy_parts {
  std::string name; ///< "web/2"
  worker_key key;   ///< the incarnation counts up for the slot, over all supervisors' lives
  std::uint64_t supervised_as = 1;     ///< the incarnation as the supervisor counts
  caf::actor supervisor;               ///< whom to tell; the child's id there is `name`
  std::shared_ptr<worker_link> link;   ///< this incarnation's process
  std::shared_ptr<pool_roster> pool;   ///< null: it takes no connections
  protection level = protection::none; ///< of the pool's connections
  std::chrono::milliseconds patience;  ///< what a drain may take before the supervisor kills
  deliver_to<link_told> deliver;
  logger* log = nullptr;
  crash_report_store* reports = nullptr; ///< null: they are not kept
  health_limits health{};
  double draw = 0;             ///< of this incarnation, for the jitter of its limits; in [0, 1)
  std::uint64_t id = 0;        ///< the slot's address for messages
  post_office* post = nullptr; ///< null: its messages go nowhere
  caf::actor mailbox{};        ///< the slot's
};

class worker_proxy {
public:
  worker_proxy(caf::event_based_actor* self, worker_proxy_parts parts);
  ~worker_proxy();
  caf::behavior make_behavior();

private:
  void handle(worker_event event);
  void act(worker_action action);

  void on_link(const link_event& event);
  void on_said(const wire::control_message& message);
  /// It broke the protocol: nothing it says counts any more.
  void refuse(std::string why);
  void on_handoff(std::vector<accepted_socket> connections);

  void plan_look();
  void look_at_health();
  void retire(ending::kind how, std::string why);

  void announce();
  void give_datagrams();
  void offer_credit();
  void rest_after_refusal();
  /// How many more connections it may be sent, besides those that the dispatcher may send already.
  [[nodiscard]] std::size_t room_left() const;
  void restore_credit();
  void settle(const link_progress& now);
  void tell_closed();
  void look_at_ledger();
  void plan_sweep();
  void sweep();
  void send_back(std::vector<accepted_socket> connections);
  void give_back(std::vector<offered_connection> connections);
  void hand_on();
  // ---- messages (worker_messages.cpp)
  void on_sent(const link_sent& sent);
  void tell_mailbox(process_news::kind what);
  /// It takes no message more, whatever becomes of it.
  void leave_messages();
  // ---- leases (worker_leases.cpp)
  /// Readies a connection for this worker; false: it is lost, and closed.
  bool lend(accepted_socket& from, offered_connection& offer);
  void hold(offered_connection taken);
  void take_returns();
  void take_ended();
  std::vector<accepted_socket> recover_all();
  void recover(offered_connection connection, protection level, blame whose,
               std::vector<accepted_socket>& into);
  void remember_crash(offered_connection& connection, blame whose, carried_lease& into);
  void report_poison(const carried_lease& lease);
  [[nodiscard]] ending how_it_ended() const;
  void take_leave();
  /// False: there is none.
  template <class Message>
  bool tell_dispatcher(Message message);

  caf::event_based_actor* self_;
  worker_proxy_parts parts_;
  worker_phase phase_ = worker_phase::starting;
  untaken untaken_;
  held_leases held_;
  std::vector<std::uint32_t> early_returns_; ///< of what the ledger does not call taken yet
  std::vector<connection_seat> unleased_; ///< of what it has taken without a lease, in a pool with
                                          ///< limits
  std::uint64_t ended_ = 0;               ///< of those: what has been noticed
  std::size_t credit_out_ =
      0; ///< connections that the dispatcher may send, those on the way included
  std::uint64_t next_connection_ = 0;
  std::size_t closed_ = 0; ///< connections that it has no more, since the dispatcher was told
  bool all_lent_ = false;  ///< its leases were all in use once
  bool sweep_planned_ = false;
  bool resting_ = false; ///< it refused a connection, and is asked again after limits::refusal_rest
  bool was_ready_ = false;
  bool asked_to_end_ = false;         ///< the supervisor asked: any end is a good one then
  std::optional<health_watch> watch_; ///< once it is ready, if anything is to be watched
  bool hung_ = false;                 ///< and was killed for it
  bool broken_ = false;               ///< it broke the protocol: its messages count no more
  bool takes_messages_ = false;       ///< its mailbox gives it all that comes
  std::optional<mail_sorter> sorter_;
  pid_t pid_ = 0;
  link_progress last_;
  std::optional<os::exit_status> status_;
  std::string
      reason_; ///< what the worker said, or why we ended it; empty: the exit status says it all
  std::string start_failure_;
};

} // namespace coppice
