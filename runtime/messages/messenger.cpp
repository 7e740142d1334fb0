#include <coppice/runtime/messages/messenger.hpp>

#include <coppice/runtime/limits.hpp>

#include <asio/post.hpp>
#include <bit>
#include <fmt/core.h>
#include <msgpack.hpp>
#include <stdexcept>
#include <utility>

namespace coppice {

namespace {

constexpr std::byte nil{0xc0}; // of msgpack

void check_type(std::string_view type) {
  if (type.empty() || type.size() > limits::envelope_type)
    throw std::invalid_argument{fmt::format("message: its type has {} bytes, and must have 1 to {}",
                                            type.size(), limits::envelope_type)};
  if (type.starts_with(reserved_types))
    throw std::invalid_argument{
        fmt::format("message '{}': types that begin with '{}' are reserved", type, reserved_types)};
}

} // namespace

template <class Call>
void messenger::guarded(Call call) {
  try {
    call();
  } catch (...) {
    parts_.thrown(std::current_exception());
  }
}

messenger::messenger(parts with) : parts_{std::move(with)} {}

// ---- sending

send_result messenger::put(const wire::envelope_view& envelope, const wire::envelope_meta& meta) {
  if (closed_) return send_result::closed;
  auto whole = envelope;
  whole.from = {.id = parts_.id, .name = {}};
  whole.meta = wire::encode_meta(meta, meta_);
  frame_.clear();
  wire::append_envelope(whole, frame_);
  const bool sent = parts_.out(frame_);
  if (frame_.capacity() > limits::data_read) frame_ = {};
  return sent ? send_result::sent : send_result::closed;
}

send_result messenger::send_packed(const address& to, std::string_view type, bytes value) {
  check_type(type);
  if (!has_room(to)) return send_result::not_now;
  return put({type, {}, to.view(), value, {}}, {});
}

void messenger::check_ask(const address& to, std::string_view type, std::size_t size,
                          std::chrono::milliseconds timeout) {
  check_type(type);
  if (timeout.count() <= 0 || timeout > limits::ask_longest)
    throw std::invalid_argument{
        fmt::format("ask '{}': a timeout of {} ms, it must be above 0 and at "
                    "most a day",
                    type, timeout.count())};
  // With room for its head: type, two addresses and meta.
  if (to.name().size() > limits::address_name || size > limits::envelope - 1024)
    throw std::length_error{"ask: its address or its value is too long"};
}

std::uint64_t messenger::ask_packed(const address& to, std::string_view type, bytes value,
                                    std::chrono::milliseconds timeout, on_answer then) {
  check_ask(to, type, value.size(), timeout);
  if (++last_ask_ == 0) ++last_ask_;
  const std::uint64_t number = (parts_.incarnation << 32U) | last_ask_;
  const auto [at, fresh] =
      asks_.try_emplace(number, open_ask{asio::steady_timer{*parts_.loop}, std::move(then)});
  if (asks_.size() > limits::open_asks || !has_room(to)) {
    settle_later(number, ask_error::overloaded);
    return number;
  }
  if (put({type, {}, to.view(), value, {}}, {.ask = number}) != send_result::sent) {
    settle_later(number, ask_error::closed);
    return number;
  }
  at->second.timer.expires_after(timeout);
  at->second.timer.async_wait([this, number](const std::error_code& stopped) {
    if (!stopped) give_up(number, ask_error::timeout);
  });
  return number;
}

void messenger::cancel(std::uint64_t ask) {
  asio::post(*parts_.loop, [this, ask] { give_up(ask, ask_error::cancelled); });
}

send_result messenger::reply_packed(const message& to, bytes value) {
  if (!to.is_ask())
    throw std::invalid_argument{
        fmt::format("reply to '{}' from {}: it is no ask", to.type(), to.from())};
  return put({answer_type, {}, {.id = to.from(), .name = {}}, value, {}},
             {.answers = to.meta().ask});
}

send_result messenger::refuse(const message& to, ask_error why) {
  return put({failure_type, {}, {.id = to.from(), .name = {}}, {&nil, 1}, {}},
             {.answers = to.meta().ask, .failure = to_string(why)});
}

send_result messenger::want(std::string_view topic, bool wanted) {
  wire::buffer packed;
  msgpack::packer<wire::buffer>{packed}.pack(topic);
  return put({wanted ? subscribe_type : unsubscribe_type, {}, {}, packed.bytes(), {}}, {});
}

bool messenger::has_room(const address& to) const {
  if (parts_.unsent && parts_.unsent() > limits::mail_high) return false;
  return full_.empty() || !full_.contains(to);
}

void messenger::on_room(const address& to, std::function<void()> then) {
  const auto at = full_.find(to);
  if (at != full_.end()) {
    at->second.push_back(std::move(then));
  } else if (!has_room(to)) {
    for_outlet_.emplace_back(to, std::move(then));
  } else {
    asio::post(*parts_.loop, std::move(then));
  }
}

void messenger::outlet_has_room() {
  for (auto& [to, then] : std::exchange(for_outlet_, {})) on_room(to, std::move(then));
}

void messenger::room_changed(const address& to, bool room) {
  if (!room) {
    full_.try_emplace(to);
    return;
  }
  const auto waiting = full_.extract(to);
  if (waiting.empty()) return;
  for (const auto& each : waiting.mapped()) guarded(each);
}

// ---- receiving

void messenger::on(std::string type, handler how) {
  check_type(type);
  handlers_.insert_or_assign(std::move(type), std::make_shared<const handler>(std::move(how)));
}

result<void> messenger::receive(std::span<const bytes> bodies) {
  for (const auto body : bodies) {
    const auto m = message::parse(body);
    if (!m) return tl::unexpected{m.error()};
    take(*m);
  }
  return {};
}

void messenger::take(const message& m) {
  if (m.meta().answers != 0) return take_answer(m);
  if (m.type() == last_type) {
    has_last_ = true;
    if (on_rest_) on_rest_();
    return;
  }
  handle(m);
}

// An ask that is over already, by its timeout, wants no answer any more.
void messenger::take_answer(const message& m) {
  if (m.meta().failure.empty()) return settle(m.meta().answers, m);
  settle(m.meta().answers, tl::unexpected{ask_error_named(m.meta().failure)});
}

void messenger::handle(const message& m) {
  const auto found = handlers_.find(m.type());
  const auto how = found != handlers_.end() ? found->second : any_; // it may replace itself
  if (how) {
    try {
      (*how)(m);
    } catch (...) {
      fail(m, std::current_exception());
    }
    return;
  }
  if (m.is_ask()) refuse(m, ask_error::no_handler);
  if (std::has_single_bit(++unhandled_))
    parts_.log->warn("message '{}' from {}: no handler for it here (seen {} times)", m.type(),
                     m.from(), unhandled_);
}

void messenger::fail(const message& asked, std::exception_ptr why) {
  if (asked.is_ask()) refuse(asked, ask_error::no_handler);
  parts_.thrown(std::move(why));
}

void messenger::settle(std::uint64_t ask, ask_result with) {
  const auto found = asks_.extract(ask);
  if (found.empty()) return;
  guarded([&] { found.mapped().then(std::move(with)); });
}

void messenger::give_up(std::uint64_t ask, ask_error why) {
  if (!asks_.contains(ask)) return;
  wire::buffer packed;
  msgpack::packer<wire::buffer>{packed}.pack(ask);
  put({forget_type, {}, {}, packed.bytes(), {}}, {});
  settle(ask, tl::unexpected{why});
}

void messenger::settle_later(std::uint64_t ask, ask_error why) {
  asio::post(*parts_.loop, [this, ask, why] { settle(ask, tl::unexpected{why}); });
}

void messenger::close() {
  closed_ = true;
  // Not those that their callbacks make: these end later, by themselves.
  for (auto& [number, open] : std::exchange(asks_, {}))
    guarded([&] { open.then(tl::unexpected{ask_error::closed}); });
  while (!full_.empty()) room_changed(full_.begin()->first, true); // they find it closed
  parts_.unsent = nullptr;
  outlet_has_room();
}

} // namespace coppice
