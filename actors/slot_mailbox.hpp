#pragma once
// Where messages to one slot arrive: an actor that outlives the slot's processes. It gives them to
// the process that is ready, keeps them while there is none, asks their senders to stop when the
// process cannot keep up, and tells askers what becomes of an ask that will not be answered.

#include <coppice/actors/mail_sorter.hpp>
#include <coppice/actors/mailbox.hpp>
#include <coppice/actors/messages.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/link/worker_link.hpp>
#include <coppice/runtime/messages/address.hpp>
#include <coppice/runtime/messages/ask_error.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace coppice {

struct slot_mailbox_parts {
  std::uint64_t id = 0;        ///< the slot's
  post_office* post = nullptr; ///< outlives it
};

class slot_mailbox {
public:
  static constexpr const char* name = "mailbox";

  slot_mailbox(caf::event_based_actor* self, slot_mailbox_parts parts)
      : self_{self},
        parts_{parts} {}
  caf::behavior make_behavior();

private:
  void on_mail(mail came);
  void on_news(const process_news& news);
  void begin_leave(std::uint64_t incarnation);
  void lose(std::uint64_t incarnation);
  void end();

  void forward(const mail_run& run);
  void keep(const mail_run& run);
  void give(std::uint64_t incarnation, const mail_run& run);
  [[nodiscard]] bool open_asks_of(const mail_run& run, std::uint64_t incarnation);
  void give_waiting();
  void flush();
  void refuse(dead_letter why, const mail_run& run);
  void fail(const ask_key& ask, ask_error why);
  void watch_level();
  void stop_senders(mail& came);
  [[nodiscard]] bool is_for_several(const wire::address& to);
  void let_senders_go_on();
  void tell_sender(std::uint64_t sender, wire::message_room about);
  void send_to(std::uint64_t resident, mail what);
  [[nodiscard]] resident* own() { return parts_.post->book.find(parts_.id); }

  caf::event_based_actor* self_;
  slot_mailbox_parts parts_;
  mailbox box_;
  std::map<std::uint64_t, std::weak_ptr<worker_link>> links_;
  /// What goes out in one call, to one process, at the end of what is being done.
  std::vector<mail_run> batch_;
  std::uint64_t batch_for_ = 0;
  bool full_ = false;
  std::set<std::pair<std::uint64_t, address>> stopped_; ///< sender, and the address as it wrote it
};

/// The mailbox of a slot, entered into the book; one that lives already stays.
caf::actor ensure_mailbox(caf::actor_system& system, post_office& post, resident who);
/// The slot is no more: what waits is refused, and nobody reaches it.
void end_mailbox(post_office& post, std::uint64_t id);

} // namespace coppice
