#include <coppice/actors/mail_sorter.hpp>
#include <coppice/runtime/limits.hpp>
#include <coppice/runtime/messages/ask_error.hpp>
#include <coppice/runtime/messages/own_messages.hpp>
#include <coppice/runtime/wire/cursor.hpp>

#include <array>

namespace coppice {

namespace {

constexpr std::byte nil{0xc0}; // of msgpack

bool is_primary(const wire::address& to) {
  return to.is_name() ? to.name == "primary" : to.id == 0;
}

ask_error error_of(dead_letter why) {
  return why == dead_letter::overloaded ? ask_error::overloaded : ask_error::no_such_address;
}

} // namespace

mail_run failure_of(const ask_key& ask, std::uint64_t in_place_of, std::string_view why) {
  return written_by_primary(
      {failure_type, {.id = in_place_of, .name = {}}, {.id = ask.asker, .name = {}}, {&nil, 1}, {}},
      {.answers = ask.number, .failure = why});
}

result<void> mail_sorter::sort(const shared_bytes& memory,
                               std::span<const std::span<const std::byte>> bodies) {
  for (const auto body : bodies) {
    const auto head = wire::parse_envelope(body);
    if (!head) return tl::unexpected{head.error()};
    const auto meta = wire::parse_meta(head->meta);
    if (!meta) return tl::unexpected{meta.error()};
    const bool true_name = !head->from.is_name() && head->from.id == from_.id;
    // Its true sender may take more bytes than what stands there.
    if (!true_name && body.size() > limits::envelope - 16)
      return failure_because("decode", "envelope", "it is too long with its true sender");
    auto frame =
        true_name
            ? mail_run{memory,
                       {body.data() - wire::frame_prefix_size, body.size() + wire::frame_prefix_size},
                       1,
                       from_.id,
                       0,
                       {}}
            : stamped(*head);
    sort_one(std::move(frame), *head, *meta);
  }
  return {};
}

void mail_sorter::sort_own(mail_run frame) {
  for_each_message(frame, [&](mail_run& one, const auto& head, const auto& meta) {
    one.only_for = 0;
    one.asks.clear();
    sort_one(std::move(one), head, meta);
  });
}

mail_run mail_sorter::stamped(const wire::envelope_view& head) const {
  auto true_head = head;
  true_head.from = {.id = from_.id, .name = {}};
  std::vector<std::byte> frame;
  wire::append_envelope(true_head, frame);
  auto memory = std::make_shared<const std::vector<std::byte>>(std::move(frame));
  return {memory, *memory, 1, from_.id, 0, {}};
}

void mail_sorter::sort_one(mail_run frame, const wire::envelope_view& head,
                           const wire::envelope_meta& meta) {
  if (meta.answers != 0) return sort_answer(frame, head, meta);
  if (head.type.starts_with(reserved_types)) {
    if (!is_primary(head.to) || !sort_request(head)) post_.dead.add(dead_letter::reserved, head);
    return;
  }
  if (meta.ask != 0) frame.asks.push_back(meta.ask);
  found_.clear();
  post_.book.resolve(head.to, from_.id, found_);
  if (found_.empty()) return refuse(dead_letter::no_such_address, head, meta);
  for (const auto* one : found_) add(one->id, frame);
}

// To the process that asked and to no other, and only if it has been asked: an answer can neither
// be forged nor come twice.
void mail_sorter::sort_answer(mail_run& frame, const wire::envelope_view& head,
                              const wire::envelope_meta& meta) {
  const auto* own = post_.book.find(from_.id);
  if (own == nullptr || head.to.is_name() ||
      !own->asks->close({head.to.id, meta.answers}, from_.incarnation))
    return post_.dead.add(dead_letter::unasked, head);
  if (post_.book.find(head.to.id) == nullptr) return post_.dead.add(dead_letter::asker_gone, head);
  frame.only_for = wire::asker_incarnation(meta.answers);
  add(head.to.id, frame);
}

/// What a worker wants of the primary itself. False: it is none of that.
bool mail_sorter::sort_request(const wire::envelope_view& head) {
  wire::cursor value{head.msg};
  if (head.type == forget_type) {
    const auto number = value.number();
    if (number) post_.book.forget_ask({from_.id, *number});
    return number.has_value();
  }
  const auto topic = value.text();
  if (!topic || topic->empty() || topic->size() > limits::address_name) return false;
  if (head.type == unsubscribe_type) {
    post_.book.unsubscribe(from_.id, *topic);
    return true;
  }
  if (head.type != subscribe_type) return false;
  if (!post_.book.subscribe(from_.id, *topic)) post_.dead.add(dead_letter::overloaded, head);
  return true;
}

void mail_sorter::refuse(dead_letter why, const wire::envelope_view& head,
                         const wire::envelope_meta& meta) {
  post_.dead.add(why, head);
  if (meta.ask == 0) return;
  auto answer = failure_of({from_.id, meta.ask}, 0, to_string(error_of(why)));
  add(from_.id, answer);
}

void mail_sorter::add(std::uint64_t to, const mail_run& frame) {
  if (last_ >= sorted_.size() || sorted_[last_].first != to) {
    for (last_ = 0; last_ < sorted_.size() && sorted_[last_].first != to;) ++last_;
    if (last_ == sorted_.size()) sorted_.emplace_back(to, mail{});
  }
  sorted_[last_].second.add(frame);
}

} // namespace coppice
