#include <coppice/actors/primary_mailbox.hpp>

#include <coppice/runtime/worker/exception_text.hpp>

#include <vector>

namespace coppice {

primary_mailbox::primary_mailbox(caf::event_based_actor* self, primary_mailbox_parts parts)
    : self_{self},
      parts_{std::move(parts)},
      sorter_{*parts_.post, {}},
      messages_{messenger::parts{
          .loop = parts_.io,
          .out = [this](std::span<const std::byte> frames) { return send(frames); },
          .thrown =
              [this](const std::exception_ptr& thrown) {
                parts_.log->error("on_message: {}", text_of(thrown));
              },
          .log = parts_.log}} {
  if (parts_.on_message)
    messages_.on_any([this](const message& m) { parts_.on_message(m, messages_); });
}

caf::behavior primary_mailbox::make_behavior() {
  return {
      [this](const mail_for_you& m) { on_mail(m.letters.take().value_or(mail{})); },
      [this](const room_told& m) {
        messages_.room_changed(m.about.name.empty() ? address{m.about.id} : address{m.about.name},
                               m.about.room);
      },
      [this](const mail_due&) { deliver(); },
  };
}

void primary_mailbox::on_mail(mail came) {
  for (const auto& run : came.runs())
    for_each_message(run, [&](const mail_run& one, const auto&, const auto& meta) {
      if (auto* own = parts_.post->book.find(0); meta.ask != 0 && own != nullptr)
        (void)own->asks->open({one.sender, meta.ask}, 0);
      const std::span<const std::byte> body = one.bytes.subspan(wire::frame_prefix_size);
      (void)messages_.receive({&body, 1}); // it has been parsed before
    });
}

// Also from a coroutine, a timer or an answer's callback: what is sent in one round goes together.
bool primary_mailbox::send(std::span<const std::byte> frames) {
  auto memory = std::make_shared<const std::vector<std::byte>>(frames.begin(), frames.end());
  sorter_.sort_own({memory, *memory, 1, 0, 0, {}});
  if (!std::exchange(due_, true))
    port::mail(self_, mail_due{}).send(caf::actor_cast<caf::actor>(self_));
  return true;
}

void primary_mailbox::deliver() {
  due_ = false;
  sorter_.deliver([this](const resident& to, mail letters) {
    port::mail(self_, mail_for_you{std::move(letters)}).send(to.mailbox);
  });
}

caf::actor spawn_primary_mailbox(caf::actor_system& system, primary_mailbox_parts parts) {
  auto& book = parts.post->book;
  auto mailbox = port::spawn_state<primary_mailbox>(system, std::move(parts));
  book.move_in({.id = 0, .name = "primary", .group = {}, .mailbox = mailbox, .ready = true});
  return mailbox;
}

} // namespace coppice
