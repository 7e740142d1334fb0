#pragma once
// The primary's own address, 0: messages to it go to the spec's on_message, and what that sends
// goes the way of every message.

#include <coppice/actors/mail_sorter.hpp>
#include <coppice/actors/messages.hpp>
#include <coppice/actors/primary_message.hpp>
#include <coppice/runtime/caf/port.hpp>
#include <coppice/runtime/log.hpp>

#include <asio/io_context.hpp>
#include <span>
#include <utility>

namespace coppice {

struct primary_mailbox_parts {
  post_office* post = nullptr;
  asio::io_context* io = nullptr;
  logger* log = nullptr;
  on_primary_message on_message{};
};

class primary_mailbox {
public:
  static constexpr const char* name = "primary's mailbox";

  primary_mailbox(caf::event_based_actor* self, primary_mailbox_parts parts);
  caf::behavior make_behavior();

private:
  void on_mail(mail came);
  /// What the messenger has written goes out.
  bool send(std::span<const std::byte> frames);
  void deliver();

  caf::event_based_actor* self_;
  primary_mailbox_parts parts_;
  mail_sorter sorter_;
  messenger messages_;
  bool due_ = false; ///< deliver comes
};

struct mail_due {}; ///< primary_mailbox -> itself: what was sent from outside of it goes out

/// Starts it, and enters it into the book as 0, "primary".
caf::actor spawn_primary_mailbox(caf::actor_system& system, primary_mailbox_parts parts);

} // namespace coppice

COPPICE_MESSAGES_BEGIN(primary_mailbox, 260)
COPPICE_MESSAGE(primary_mailbox, coppice::mail_due)
COPPICE_MESSAGES_END(primary_mailbox)
