// worker_proxy: the messages that its process sends, and what its slot's mailbox is told of it.
#include <coppice/actors/worker_proxy.hpp>

namespace coppice {

void worker_proxy::on_sent(const link_sent& sent) {
  if (!sorter_ || broken_) return;
  const auto sorted = sorter_->sort(sent.memory, sent.bodies);
  sorter_->deliver([this](const resident& to, mail letters) {
    port::mail(self_, mail_for_you{std::move(letters)}).send(to.mailbox);
  });
  if (!sorted) refuse(sorted.error().message());
}

void worker_proxy::tell_mailbox(process_news::kind what) {
  if (parts_.mailbox)
    port::mail(self_, process_news{what, parts_.key.incarnation, parts_.link}).send(parts_.mailbox);
}

void worker_proxy::leave_messages() {
  if (std::exchange(takes_messages_, false)) tell_mailbox(process_news::kind::leaving);
}

} // namespace coppice
