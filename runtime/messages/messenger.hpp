#pragma once
// Messages, as a worker's code and the primary's on_message see them: <type, from, to, msg>. What
// is sent goes out in order; what comes goes to the handler of its type.
//
//   m.send("web/2", "cache.flush", key);
//   m.on("price", [&](const message& it) { m.reply(it, price_of(it.as<std::string>())); });
//   const auto got = co_await m.ask("web", "price", std::string{"tea"}, 1s, asio::use_awaitable);
//   if (got) use(got->as<double>()); else log(to_string(got.error()));
//
// Values are whatever msgpack packs (MSGPACK_DEFINE). From one sender to one receiver messages
// arrive in the order sent, each at most once; those for a worker that is being restarted wait for
// its replacement (limits::mail_messages, limits::mail_bytes). An ask never hangs.
//
// Not thread-safe: loop thread. Handlers and callbacks are called from the loop, never from inside
// send, ask or reply.

#include <coppice/runtime/log.hpp>
#include <coppice/runtime/messages/ask_error.hpp>
#include <coppice/runtime/messages/message.hpp>
#include <coppice/runtime/messages/own_messages.hpp>
#include <coppice/runtime/wire/buffer.hpp>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/dispatch.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace coppice {

/// What became of a message at its sender.
enum class send_result {
  sent,    ///< it is on its way, in its order
  not_now, ///< there is no room where it goes, or on the way; see on_room. Nothing of it is sent
  closed,  ///< the channel to the primary is gone, or stands still with too much in it
};

/// The message that answers, with bytes of its own, or why there is none.
using ask_result = tl::expected<message, ask_error>;

class messenger {
public:
  using bytes = std::span<const std::byte>;

  struct parts {
    asio::io_context* loop = nullptr;
    std::uint64_t id = 0; ///< this worker's address
    std::uint64_t incarnation = 0;
    /// Takes whole frames; false: it never will, or is full.
    std::function<bool(bytes)> out;
    /// Bytes that it has taken and that wait for room. Above limits::mail_high nothing is sent but
    /// answers. May be empty: it never waits.
    std::function<std::size_t()> unsent{};
    /// What has escaped a handler.
    std::function<void(std::exception_ptr)> thrown;
    logger* log = nullptr;
  };
  using handler = std::function<void(const message&)>;
  using on_answer = std::function<void(ask_result)>;

  explicit messenger(parts with);
  messenger(const messenger&) = delete;
  messenger& operator=(const messenger&) = delete;

  // ---- sending. They throw std::invalid_argument for a type that is empty, longer than
  // limits::envelope_type or begins with "coppice.", std::length_error for a value above
  // limits::envelope or a name above limits::address_name

  template <class Value>
  send_result send(const address& to, std::string_view type, const Value& value) {
    return send_packed(to, type, pack(value));
  }
  /// To those who are subscribed: send to "topic:TOPIC".
  template <class Value>
  send_result publish(std::string_view topic, std::string_view type, const Value& value) {
    return send(address{"topic:" + std::string{topic}}, type, value);
  }
  /// Asks, with a completion token of signature void(ask_result). The answer comes within
  /// `timeout`, above 0 and at most limits::ask_longest. Terminal cancellation ends it with
  /// ask_error::cancelled.
  template <class Value, class Token>
  auto ask(const address& to, std::string_view type, const Value& value,
           std::chrono::milliseconds timeout, Token&& token) {
    // Here, where it can be caught: from inside an awaited operation nothing may escape.
    const auto packed_value = copy_of(pack(value));
    check_ask(to, type, packed_value.size(), timeout);
    // Copies: a coroutine asks when it is awaited.
    return asio::async_initiate<Token, void(ask_result)>(
        [this](auto done, const address& whom, const std::string& what,
               const std::vector<std::byte>& packed, std::chrono::milliseconds patience) {
          auto slot = asio::get_associated_cancellation_slot(done);
          const auto shared = std::make_shared<decltype(done)>(std::move(done));
          const auto number =
              ask_packed(whom, what, packed, patience, [this, shared](ask_result with) {
                asio::get_associated_cancellation_slot(*shared).clear();
                asio::dispatch(asio::get_associated_executor(*shared, parts_.loop->get_executor()),
                               [shared, with = std::move(with)]() mutable {
                                 std::move (*shared)(std::move(with));
                               });
              });
          if (slot.is_connected())
            slot.assign([this, number](asio::cancellation_type) { cancel(number); });
        },
        token, to, std::string{type}, packed_value, timeout);
  }
  /// Answers an ask; throws std::invalid_argument if it is none.
  template <class Value>
  send_result reply(const message& to, const Value& value) {
    return reply_packed(to, pack(value));
  }
  /// Says that there will be no answer.
  send_result refuse(const message& to, ask_error why);

  /// One msgpack value, as it is.
  send_result send_packed(const address& to, std::string_view type, bytes value);
  /// `then` is called once, later. Gives the ask's number, for cancel.
  std::uint64_t ask_packed(const address& to, std::string_view type, bytes value,
                           std::chrono::milliseconds timeout, on_answer then);
  send_result reply_packed(const message& to, bytes value);
  /// The ask ends with ask_error::cancelled, if it is open still.
  void cancel(std::uint64_t ask);

  /// For this slot, whichever process fills it: a replacement has the subscriptions already, and
  /// may say them again.
  send_result subscribe(std::string_view topic) { return want(topic, true); }
  send_result unsubscribe(std::string_view topic) { return want(topic, false); }
  /// Calls `then` once, later: when messages to this address, written like this, find room.
  void on_room(const address& to, std::function<void()> then);

  // ---- receiving

  /// The last handler of a type counts. A message without one is a line in the log, and an ask is
  /// answered with ask_error::no_handler.
  void on(std::string type, handler how);
  /// The same for a coroutine, which gets a message with bytes of its own. Without a reply at its
  /// end, an ask goes on until its timeout.
  template <class Coroutine>
  requires std::same_as<std::invoke_result_t<Coroutine&, message>, asio::awaitable<void>>
  void on(std::string type, Coroutine how) {
    on(std::move(type), handler{[this, shared = std::make_shared<Coroutine>(std::move(how))](
                                    const message& m) { run(shared, m); }});
  }
  /// What has no handler of its own.
  void on_any(handler how) { any_ = std::make_shared<const handler>(std::move(how)); }
  /// Handlers that are coroutines and have not ended.
  [[nodiscard]] std::size_t busy() const noexcept { return busy_; }

  // ---- for those who stand between it and the channel

  /// Bodies of frames. An error: one breaks the grammar; what came before it has been handled.
  [[nodiscard]] result<void> receive(std::span<const bytes> bodies);
  void room_changed(const address& to, bool room);
  /// The outlet is down to limits::mail_low.
  void outlet_has_room();
  /// Nothing will come any more: all asks end.
  void close();

  /// Whether the primary has sent its last message but answers.
  [[nodiscard]] bool has_last() const noexcept { return has_last_; }
  /// Called when it has come, and each time that the last coroutine has ended.
  void on_rest(std::function<void()> then) { on_rest_ = std::move(then); }

private:
  struct open_ask {
    asio::steady_timer timer;
    on_answer then;
  };

  template <class Value>
  bytes pack(const Value& value) {
    packed_.clear();
    msgpack::packer<wire::buffer>{packed_}.pack(value);
    return packed_.bytes();
  }
  [[nodiscard]] static std::vector<std::byte> copy_of(bytes from) {
    return {from.begin(), from.end()};
  }
  template <class Coroutine>
  void run(const std::shared_ptr<Coroutine>& how, const message& m) {
    ++busy_;
    const message own{m};
    asio::co_spawn(*parts_.loop, (*how)(own), [this, how, own](const std::exception_ptr& thrown) {
      if (thrown) fail(own, thrown);
      if (--busy_ == 0 && on_rest_) on_rest_();
    });
  }
  static void check_ask(const address& to, std::string_view type, std::size_t size,
                        std::chrono::milliseconds timeout);
  void fail(const message& asked, std::exception_ptr why);
  send_result want(std::string_view topic, bool wanted);

  [[nodiscard]] bool has_room(const address& to) const;
  send_result put(const wire::envelope_view& envelope, const wire::envelope_meta& meta);
  void take(const message& m);
  void take_answer(const message& m);
  void handle(const message& m);
  void settle(std::uint64_t ask, ask_result with);
  /// Nobody here waits for it any more, and the primary need not keep it in mind.
  void give_up(std::uint64_t ask, ask_error why);
  /// The same, from the loop.
  void settle_later(std::uint64_t ask, ask_error why);
  /// Passes on what escapes.
  template <class Call>
  void guarded(Call call);

  parts parts_;
  std::uint32_t last_ask_ = 0;
  std::unordered_map<std::uint64_t, open_ask> asks_;
  std::map<std::string, std::shared_ptr<const handler>, std::less<>> handlers_;
  /// Addresses without room, and who waits for it.
  std::map<address, std::vector<std::function<void()>>> full_;
  std::vector<std::pair<address, std::function<void()>>>
      for_outlet_; ///< who waits for it to have room
  std::uint64_t unhandled_ = 0;
  bool closed_ = false;
  bool has_last_ = false;
  std::function<void()> on_rest_;
  std::shared_ptr<const handler> any_;
  std::size_t busy_ = 0;
  wire::buffer packed_;
  wire::buffer meta_;
  std::vector<std::byte> frame_;
};

} // namespace coppice
