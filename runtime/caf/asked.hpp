#pragma once
// A question that has been sent and not yet answered. CAF 0.17 does not take the timeout of a
// request back when the answer comes: it stays in the clock for its whole time and keeps the asking
// actor alive. This handle does take it back. Part of port.hpp; loop thread only.

#include <caf/actor_clock.hpp>
#include <caf/error.hpp>
#include <caf/message_id.hpp>
#include <caf/response_handle.hpp>
#include <utility>

namespace coppice::port {

template <class Self, class Response>
class asked {
public:
  asked(Self* self, Response response) : self_{self}, response_{std::move(response)} {}

  /// Goes on with `on_answer(answer)`, or with `on_error(const caf::error&)`: no answer in time, an
  /// error as the answer, an answer of another type.
  template <class OnAnswer, class OnError>
  void then(OnAnswer on_answer, OnError on_error) && {
    using arguments = typename caf::detail::get_callable_trait<OnAnswer>::arg_types;
    response_.then(answered(std::move(on_answer), arguments{}),
                   [self = self_, id = response_.id(), on_error](const caf::error& why) mutable {
                     forget_timeout(self, id);
                     on_error(why);
                   });
  }
  /// The same; an error ends the asking actor.
  template <class OnAnswer>
  void then(OnAnswer on_answer) && {
    std::move(*this).then(std::move(on_answer),
                          [self = self_](const caf::error& why) { self->quit(why); });
  }

private:
  static void forget_timeout(Self* self, caf::message_id id) {
    self->clock().cancel_request_timeout(self, id);
  }

  // CAF reads off the handler's arguments what answer it takes, so they are spelled out here.
  template <class OnAnswer, class... Arguments>
  auto answered(OnAnswer on_answer, caf::detail::type_list<Arguments...>) {
    return [self = self_, id = response_.id(),
            on_answer = std::move(on_answer)](Arguments... arguments) mutable {
      forget_timeout(self, id);
      on_answer(std::forward<Arguments>(arguments)...);
    };
  }

  Self* self_;
  Response response_;
};

} // namespace coppice::port
