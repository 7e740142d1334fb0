#pragma once
// How the project spells CAF. Debian and Ubuntu ship 0.17.6 while upstream is 1.x: whatever differs
// between them is said here, in the words of the newer one, and nowhere else but in the scheduler.
// Everything runs on the loop thread (loop_scheduler.hpp); nothing here is thread-safe by itself.
//
//   struct tick { std::uint64_t incarnation; };        // a message is one plain struct ...
//   COPPICE_MESSAGES_BEGIN(my_part, 0)
//   COPPICE_MESSAGE(my_part, coppice::tick, incarnation)  // ... with one line, at global scope
//   COPPICE_LOCAL_MESSAGE(my_part, coppice::adopt)        // holds a descriptor or a pointer
//   COPPICE_MESSAGES_END(my_part)
//
//   struct clock_state {                               // an actor is a struct, too
//     caf::event_based_actor* self;
//     caf::behavior make_behavior() { return {[this](const tick& t) { ... }}; }
//   };
//   caf::actor clock = port::spawn_state<clock_state>(system);

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_clock.hpp>
#include <caf/actor_ostream.hpp>
#include <caf/actor_system.hpp>
#include <caf/behavior.hpp>
#include <caf/config.hpp>
#include <caf/error.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/type_id.hpp>
#include <chrono>
#include <coppice/runtime/caf/asked.hpp>
#include <coppice/runtime/caf/moved.hpp>
#include <exception>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

static_assert(CAF_VERSION >= 1700 && CAF_VERSION < 1800, "this port header speaks CAF 0.17");

namespace coppice::port {

// ---- sending ----------------------------------------------------------------------------------

/// A message on its way: `port::mail(self, m).delay(50ms).send(to)`. A delayed message keeps its
/// receiver alive and cannot be called back: let it carry an incarnation, and drop it when stale.
template <class Self, class Message>
class mailer {
public:
  mailer(Self* self, Message message) : self_{self}, message_{std::move(message)} {}

  /// Send later. Default, and for a time that is not positive: at once.
  [[nodiscard]] mailer delay(caf::timespan time) && {
    delay_ = time;
    return std::move(*this);
  }
  /// Send at this moment of the actors' clock: messages for one moment come in one wake-up.
  [[nodiscard]] mailer at(caf::actor_clock::time_point when) && {
    when_ = when;
    return std::move(*this);
  }
  /// Nothing happens if `to` is empty or has ended.
  void send(const caf::actor& to) && {
    if (!to) return;
    if (when_)
      self_->clock().schedule_message(*when_, caf::actor_cast<caf::strong_actor_ptr>(to),
                                      caf::make_mailbox_element(self_->ctrl(),
                                                                caf::make_message_id(), {},
                                                                std::move(message_)));
    else if (delay_.count() > 0)
      self_->delayed_send(to, delay_, std::move(message_));
    else
      self_->send(to, std::move(message_));
  }
  /// Ask, and go on with `.then(on_answer, on_error)`; the error is `caf::sec::request_timeout`
  /// when there is no answer in time. Costs a timer each: not for hot paths.
  [[nodiscard]] auto request(const caf::actor& to, std::chrono::milliseconds timeout) && {
    return asked{self_, self_->request(to, timeout, std::move(message_))};
  }
  /// The same without a limit, for answers that take as long as it takes. Still an error when `to`
  /// has ended, or ends with the question unread.
  [[nodiscard]] auto request(const caf::actor& to) && {
    return asked{self_, self_->request(to, caf::infinite, std::move(message_))};
  }

private:
  Self* self_;
  Message message_;
  caf::timespan delay_{0};
  std::optional<caf::actor_clock::time_point> when_;
};

template <class Self, class Message>
[[nodiscard]] auto mail(Self* self, Message&& message) {
  return mailer<Self, std::decay_t<Message>>{self, std::forward<Message>(message)};
}

/// The same from outside of actors: an I/O handler, a test. On the loop thread; other threads
/// `asio::post` to the loop first.
template <class Message>
class anon_mailer {
public:
  explicit anon_mailer(Message message) : message_{std::move(message)} {}

  [[nodiscard]] anon_mailer delay(caf::timespan time) && {
    delay_ = time;
    return std::move(*this);
  }
  void send(const caf::actor& to) && {
    if (!to) return;
    if (delay_.count() > 0)
      caf::delayed_anon_send(to, delay_, std::move(message_));
    else
      caf::anon_send(to, std::move(message_));
  }

private:
  Message message_;
  caf::timespan delay_{0};
};

template <class Message>
[[nodiscard]] auto anon_mail(Message&& message) {
  return anon_mailer<std::decay_t<Message>>{std::forward<Message>(message)};
}

// ---- ends -------------------------------------------------------------------------------------

/// The reason to give to `self->quit` when something failed; `reason_text` gives the text back.
[[nodiscard]] inline caf::error failed(std::string why) {
  return caf::make_error(caf::sec::runtime_error, std::move(why));
}

/// Why an actor ended: empty for a normal end, the text of `failed` or of the exception, else the
/// name of CAF's reason ("kill", "user_shutdown", "unreachable").
[[nodiscard]] std::string reason_text(const caf::error& why);

/// The end of `whom` comes to `self` as an ordinary message; at once if it has ended already.
/// `message` is the message, or a function that makes it from the reason's text.
template <class Message>
void watch(caf::event_based_actor* self, const caf::actor& whom, Message message) {
  whom->attach_functor([watcher = caf::actor_cast<caf::actor_addr>(self),
                        message = std::move(message)](const caf::error& why) mutable {
    auto to = caf::actor_cast<caf::actor>(watcher);
    if constexpr (std::is_invocable_v<Message&, std::string>)
      anon_mail(message(reason_text(why))).send(to);
    else
      anon_mail(message).send(to);
  });
}

// ---- actors -----------------------------------------------------------------------------------

/// What `spawn_state` sets up in every actor: an exception ends it with its text as the reason (and
/// a line in the log), a message that it does not know is a line in the log.
void prepare(caf::event_based_actor* self);

/// State that comes to life with the actor and dies with it.
template <class State>
struct late {
  std::optional<State> value;
  const char* name = [] {
    if constexpr (requires { State::name; })
      return State::name;
    else
      return "actor";
  }();
};

/// Starts an actor whose state is `State{self, args...}` and whose handlers are
/// `state.make_behavior()`. `spawner` is the actor system or an actor's `self`. The arguments are
/// moved in and may be move-only. A `static constexpr const char* name` in State is its name in the
/// log. An exception while the state is made ends the actor like any other.
template <class State, class Spawner, class... Args>
caf::actor spawn_state(Spawner&& spawner, Args&&... args) {
  static_assert(std::is_constructible_v<State, caf::event_based_actor*, std::decay_t<Args>...>,
                "the state is made as State{self, args...}");
  auto start = [arguments = std::tuple<std::decay_t<Args>...>{std::forward<Args>(args)...}](
                   caf::stateful_actor<late<State>>* self) mutable -> caf::behavior {
    prepare(self);
    std::optional<State>& state = self->state.value;
    std::apply(
        [&](auto&... each) {
          state.emplace(static_cast<caf::event_based_actor*>(self), std::move(each)...);
        },
        arguments);
    return state->make_behavior();
  };
  if constexpr (std::is_pointer_v<std::remove_reference_t<Spawner>>)
    return spawner->spawn(std::move(start));
  else
    return spawner.spawn(std::move(start));
}

// ---- messages ---------------------------------------------------------------------------------

/// The fields of a message that can be shown and packed; specialized by COPPICE_MESSAGE.
template <class Message>
struct fields;

template <class Message>
concept described = requires(Message& message) {
  fields<Message>::tie(message);
};

/// CAF's way to see a message's fields. Found for messages in namespace coppice; another namespace
/// says `using coppice::port::inspect;`.
template <class Inspector, described Message>
auto inspect(Inspector& inspector, Message& message) {
  return std::apply(
      [&](auto&... each) {
        return inspector(caf::meta::type_name(fields<Message>::name), each...);
      },
      fields<Message>::tie(message));
}

} // namespace coppice::port

namespace coppice {
using port::inspect;
}

// Blocks of message types must not overlap: `first` counts from 0 for the whole project.
#define COPPICE_MESSAGES_BEGIN(block, first)                                                       \
  CAF_BEGIN_TYPE_ID_BLOCK(block, caf::first_custom_type_id + (first))
#define COPPICE_MESSAGES_END(block) CAF_END_TYPE_ID_BLOCK(block)

// COPPICE_MESSAGE(block, type, field...): a message whose fields can be shown in the log.
#define COPPICE_MESSAGE(block, type, ...)                                                          \
  CAF_ADD_TYPE_ID(block, (type))                                                                   \
  template <>                                                                                      \
  struct coppice::port::fields<type> {                                                             \
    static constexpr const char* name = #type;                                                     \
    static auto tie([[maybe_unused]] type& message) {                                              \
      return std::tie(__VA_OPT__(COPPICE_EACH_FIELD(__VA_ARGS__)));                                \
    }                                                                                              \
  };

// COPPICE_LOCAL_MESSAGE(block, type): a message that never leaves the process: it may hold
// descriptors (port::moved), pointers, functions.
#define COPPICE_LOCAL_MESSAGE(block, type)                                                         \
  CAF_ADD_TYPE_ID(block, (type))                                                                   \
  CAF_ALLOW_UNSAFE_MESSAGE_TYPE(type)

// message.a, message.b, ... by rescanning: at most 16 fields.
#define COPPICE_EACH_FIELD(...) COPPICE_SCAN4(COPPICE_FIELD_STEP(__VA_ARGS__))
#define COPPICE_FIELD_STEP(first, ...)                                                             \
  message.first __VA_OPT__(, COPPICE_FIELD_AGAIN COPPICE_PARENS(__VA_ARGS__))
#define COPPICE_FIELD_AGAIN() COPPICE_FIELD_STEP
#define COPPICE_PARENS ()
#define COPPICE_SCAN4(...) COPPICE_SCAN3(COPPICE_SCAN3(__VA_ARGS__))
#define COPPICE_SCAN3(...) COPPICE_SCAN2(COPPICE_SCAN2(__VA_ARGS__))
#define COPPICE_SCAN2(...) COPPICE_SCAN1(COPPICE_SCAN1(__VA_ARGS__))
#define COPPICE_SCAN1(...) __VA_ARGS__
