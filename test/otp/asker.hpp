#pragma once
// The parent of the top supervisor, and the one who asks.

#include "played_child.hpp"

#include <functional>
#include <memory>
#include <string>

namespace coppice::otp {

/// What is to be asked of a supervisor, and the line that its answer makes.
struct question {
  caf::actor whom{};
  supervisor_call call{};
  std::function<std::string(const call_answer&)> line{};
};

struct asker {
  caf::event_based_actor* self;
  std::shared_ptr<diary> book;

  caf::behavior make_behavior() {
    return {
        [this](const child_ready&) { book->write("up"); },
        [this](const child_ended& m) {
          book->write(m.ending.how == ending::start_failed ? "failed " + path_of(m.ending.reason)
                                                           : "over shutdown");
        },
        [this](const question& asked) { ask(asked); },
    };
  }

  void ask(const question& asked) {
    port::mail(self, asked.call)
        .request(asked.whom, std::chrono::hours{1})
        .then([book = book, line = asked.line](
                  const supervisor_answer& said) { book->write(line(said.answer)); },
              [book = book, line = asked.line](const caf::error&) { // it has ended
                book->write(line(tl::unexpected{call_failure{call_error::shutting_down}}));
              });
  }

  /// "mid: a: failed", however the start of a failed.
  static std::string path_of(const std::string& reason) {
    return reason.substr(0, reason.rfind(": ") + 2) + "failed";
  }
};

} // namespace coppice::otp

COPPICE_MESSAGES_BEGIN(otp_questions, 1210)
COPPICE_LOCAL_MESSAGE(otp_questions, coppice::otp::question)
COPPICE_MESSAGES_END(otp_questions)
