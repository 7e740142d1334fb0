#include <coppice/actors/slot_mailbox.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/messages/ask_error.hpp>
#include <coppice/runtime/messages/own_messages.hpp>

#include <algorithm>
#include <string>

namespace coppice {

caf::behavior slot_mailbox::make_behavior() {
  return {
      [this](const mail_for_you& m) { on_mail(m.letters.take().value_or(mail{})); },
      [this](const process_news& m) { on_news(m); },
      [this](const room_told& m) {
        for (const auto& [incarnation, process] : links_)
          if (const auto link = process.lock()) link->tell_room(m.about);
      },
      [this](const end_mail&) { end(); },
  };
}

// ---- the slot's processes

void slot_mailbox::on_news(const process_news& news) {
  switch (news.what) {
  case process_news::kind::exists:
    box_.open(news.incarnation);
    links_[news.incarnation] = news.link;
    return;
  case process_news::kind::ready:
    box_.enter(news.incarnation, mailbox::stage::ready);
    if (auto* me = own()) me->ready = true;
    return give_waiting();
  case process_news::kind::leaving:
    return begin_leave(news.incarnation);
  case process_news::kind::has_room:
    if (news.incarnation == box_.taker()) watch_level();
    return;
  case process_news::kind::gone:
    return lose(news.incarnation);
  }
}

// What it has been given before this last message it handles; what comes after it is its
// replacement's.
void slot_mailbox::begin_leave(std::uint64_t incarnation) {
  box_.enter(incarnation, mailbox::stage::leaving);
  if (auto* me = own()) me->ready = box_.taker() != 0;
  const auto last = last_message(parts_.id);
  const std::span<const std::byte> frame = last;
  if (const auto link = links_[incarnation].lock()) (void)link->send({&frame, 1});
  watch_level();
}

void slot_mailbox::lose(std::uint64_t incarnation) {
  box_.close(incarnation);
  links_.erase(incarnation);
  parts_.post->book.forget_asker(parts_.id, static_cast<std::uint32_t>(incarnation));
  auto* me = own();
  if (me == nullptr) return;
  me->ready = box_.taker() != 0;
  for (const auto& ask : me->asks->abandon(incarnation)) fail(ask, ask_error::worker_died);
  watch_level();
}

void slot_mailbox::end() {
  for (const auto& run : box_.take_all()) refuse(dead_letter::no_such_address, run);
  let_senders_go_on();
  self_->quit();
}

// ---- messages

void slot_mailbox::on_mail(mail came) {
  for (const auto& run : came.runs()) forward(run);
  flush();
  watch_level();
  if (full_) stop_senders(came);
}

void slot_mailbox::forward(const mail_run& run) {
  if (run.only_for != 0) {
    if (const auto asker = box_.asker(run.only_for)) return give(asker, run);
    return refuse(dead_letter::asker_gone, run);
  }
  const auto taker = box_.taker();
  if (taker == 0 || !box_.empty()) return keep(run);
  if (open_asks_of(run, taker)) return give(taker, run);
  // Too many asks for all of it: as many as there is room for, one by one.
  for_each_message(run, [&](const mail_run& one, const auto&, const auto&) {
    if (open_asks_of(one, taker)) return give(taker, one);
    refuse(dead_letter::overloaded, one);
  });
}

void slot_mailbox::keep(const mail_run& run) {
  if (box_.keep(run)) return;
  for_each_message(run, [&](const mail_run& one, const auto&, const auto&) {
    if (!box_.keep(one)) refuse(dead_letter::overloaded, one);
  });
}

void slot_mailbox::give_waiting() {
  for (const auto& run : box_.take_all()) forward(run);
  flush();
  watch_level();
}

/// Remembers who waits for whom. False: there are too many, and none of them is remembered.
bool slot_mailbox::open_asks_of(const mail_run& run, std::uint64_t incarnation) {
  if (run.asks.empty()) return true;
  auto* me = own();
  if (me == nullptr || me->asks->size() + run.asks.size() > limits::open_asks) return false;
  return std::ranges::all_of(run.asks, [&](std::uint64_t number) {
    return me->asks->open({run.sender, number}, incarnation);
  });
}

void slot_mailbox::give(std::uint64_t incarnation, const mail_run& run) {
  if (batch_for_ != incarnation) flush();
  batch_for_ = incarnation;
  batch_.push_back(run);
}

// All in one call; if that is more than may wait, each run by itself, as far as there is room.
void slot_mailbox::flush() {
  if (batch_.empty()) return;
  const auto batch = std::exchange(batch_, {});
  const auto link = links_[batch_for_].lock();
  std::vector<std::span<const std::byte>> pieces;
  pieces.reserve(batch.size());
  for (const auto& run : batch) pieces.push_back(run.bytes);
  if (link && link->send(pieces)) return;
  for (const auto& run : batch) {
    const std::span<const std::byte> piece = run.bytes;
    if (link && link->send({&piece, 1})) continue;
    if (link && link->unsent() > 0) {
      refuse(dead_letter::overloaded, run);
    } else if (run.only_for != 0) {
      refuse(dead_letter::asker_gone, run);
    } else { // its channel has ended, and its death will be told: this is for the next process
      if (auto* me = own())
        for (const auto number : run.asks) me->asks->drop({run.sender, number});
      keep(run);
    }
  }
}

// ---- what is not delivered

void slot_mailbox::refuse(dead_letter why, const mail_run& run) {
  for_each_message(run, [&](const mail_run& one, const auto& head, const auto& meta) {
    parts_.post->dead.add(why, head);
    if (meta.ask == 0) return;
    if (auto* me = own()) me->asks->drop({one.sender, meta.ask});
    fail({one.sender, meta.ask},
         why == dead_letter::overloaded ? ask_error::overloaded : ask_error::no_such_address);
  });
}

void slot_mailbox::fail(const ask_key& ask, ask_error why) {
  mail letter;
  letter.add(failure_of(ask, parts_.id, to_string(why)));
  send_to(ask.asker, std::move(letter));
}

void slot_mailbox::send_to(std::uint64_t resident, mail what) {
  if (const auto* to = parts_.post->book.find(resident))
    port::mail(self_, mail_for_you{std::move(what)}).send(to->mailbox);
}

// ---- back pressure

void slot_mailbox::watch_level() {
  const auto process = links_.find(box_.taker());
  const auto link = process == links_.end() ? nullptr : process->second.lock();
  const bool was_full = full_;
  if (link)
    full_ = link->unsent() > (was_full ? limits::mail_low : limits::mail_high);
  else
    full_ = box_.crowded();
  if (auto* me = own()) me->full = full_;
  if (was_full && !full_) let_senders_go_on();
}

// Whoever has no room must not keep the others from what is for all of them, or for any of them:
// what finds none here is a dead letter.
bool slot_mailbox::is_for_several(const wire::address& to) {
  if (!to.is_name()) return false;
  const auto* me = own();
  return to.name == "*" || to.name.starts_with("topic:") || to.name.ends_with("/*") ||
         (me != nullptr && to.name == me->group && to.name != me->name);
}

// Again with everything that still comes: the sender may be another process by now.
void slot_mailbox::stop_senders(mail& came) {
  std::set<std::pair<std::uint64_t, address>> now;
  for (const auto& run : came.runs())
    for_each_message(run, [&](const mail_run& one, const auto& head, const auto& meta) {
      if (meta.answers == 0 && !is_for_several(head.to)) now.emplace(one.sender, address{head.to});
    });
  for (const auto& [sender, to] : now) {
    if (stopped_.size() >= limits::mail_stopped && !stopped_.contains({sender, to})) return;
    stopped_.emplace(sender, to);
    tell_sender(sender, {to.id(), to.name(), false});
  }
}

void slot_mailbox::let_senders_go_on() {
  for (const auto& [sender, to] : std::exchange(stopped_, {}))
    tell_sender(sender, {to.id(), to.name(), true});
}

void slot_mailbox::tell_sender(std::uint64_t sender, wire::message_room about) {
  if (const auto* one = parts_.post->book.find(sender))
    port::mail(self_, room_told{std::move(about)}).send(one->mailbox);
}

// ---- their beginning and end

caf::actor ensure_mailbox(caf::actor_system& system, post_office& post, resident who) {
  if (const auto* known = post.book.find(who.id)) return known->mailbox;
  who.mailbox = port::spawn_state<slot_mailbox>(system, slot_mailbox_parts{who.id, &post});
  const auto mailbox = who.mailbox;
  post.book.move_in(std::move(who));
  return mailbox;
}

void end_mailbox(post_office& post, std::uint64_t id) {
  const auto* known = post.book.find(id);
  if (known == nullptr) return;
  port::anon_mail(end_mail{}).send(known->mailbox);
  post.book.move_out(id);
}

} // namespace coppice
