#include "played_child.hpp"

#include <stdexcept>
#include <utility>

namespace coppice::otp {
namespace {

/// OTP's `normal`, `shutdown` and `{shutdown, Term}` are good ends; ours knows one kind of them.
ending ending_of(const std::string& how) {
  const bool abnormal = how == "crash" || how == "killed";
  return {abnormal ? ending::abnormal : ending::well, how};
}

/// Speaks by messages.hpp, as the proxy of a process does.
struct speaking_child {
  caf::event_based_actor* self;
  start_context context;
  node what;
  std::shared_ptr<diary> book;

  caf::behavior make_behavior() {
    book->begin(what.id, caf::actor_cast<caf::actor>(self));
    port::mail(self, child_ready{context.id, context.incarnation, 70}).send(context.supervisor);
    return {
        [this](const stop_child& m) { m.how == stop_how::kill ? end("killed") : on_asked(); },
        [this](const die_now& m) { end(m.how); },
        [this](const stopped_slowly&) { end("shutdown"); },
    };
  }
  void on_asked() {
    if (what.stop == stop_manner::obey) return end("shutdown");
    book->write("asked " + what.id);
    book->asked.insert(what.id);
    switch (what.stop) {
    case stop_manner::obey:
    case stop_manner::ignore:
      return;
    case stop_manner::normal:
      return end("normal");
    case stop_manner::crash:
      return end("crash");
    case stop_manner::slow:
      port::mail(self, stopped_slowly{})
          .delay(std::chrono::seconds{what.stop_seconds})
          .send(caf::actor_cast<caf::actor>(self));
      return;
    }
  }
  void end(const std::string& how) {
    book->end(what.id, how);
    port::mail(self, child_ended{context.id, context.incarnation, ending_of(how)})
        .send(context.supervisor);
    self->quit();
  }
};

/// An actor that does not know that it is supervised.
struct plain_child {
  caf::event_based_actor* self;
  std::shared_ptr<std::string> last_word;

  caf::behavior make_behavior() {
    return {[this](const die_now& m) {
      *last_word = m.how;
      if (m.how == "normal") return self->quit();
      if (m.how == "crash") return self->quit(port::failed("crash"));
      self->quit(m.how == "killed" ? caf::exit_reason::kill : caf::exit_reason::user_shutdown);
    }};
  }
};

/// Of a plain actor that somebody else ended.
std::string end_of(const caf::error& why) {
  const std::string text = port::reason_text(why);
  if (text == to_string(caf::exit_reason::user_shutdown)) return "shutdown";
  if (text == to_string(caf::exit_reason::kill)) return "killed";
  return text;
}

caf::actor start_plain(caf::actor_system& system, const std::string& id,
                       const std::shared_ptr<diary>& book) {
  const auto last_word = std::make_shared<std::string>();
  caf::actor made = port::spawn_state<plain_child>(system, last_word);
  book->begin(id, made);
  made->attach_functor([book, id, last_word](const caf::error& why) {
    book->end(id, last_word->empty() ? end_of(why) : *last_word);
  });
  return made;
}

} // namespace

start_outcome diary::next_start(const std::string& id) {
  auto& planned = plans[id];
  if (planned.empty()) return start_outcome::ok;
  const start_outcome next = planned.front();
  planned.erase(planned.begin());
  return next;
}

void diary::end(const std::string& id, const std::string& how) {
  living.erase(id);
  asked.erase(id);
  write("end " + id + " " + how);
}

child_spec spec_of(const node& what) {
  return {.id = what.id,
          .restart = what.restart,
          .shutdown = what.shutdown,
          .type = what.is_supervisor ? child_type::supervisor : child_type::worker,
          .significant = what.significant,
          .backoff = backoff::none};
}

startable played_child(const node& what, std::shared_ptr<diary> book) {
  return {.spec = spec_of(what),
          .start = [what, book = std::move(book)](const start_context& c) -> caf::actor {
            node mine = what;
            if (!c.args.empty()) { // of a dynamic supervisor
              mine.id = c.args.front();
              book->real_ids[mine.id] = c.id;
            }
            switch (book->next_start(mine.id)) {
            case start_outcome::ok:
              break;
            case start_outcome::fail:
              book->write("start " + mine.id + " fail");
              throw std::runtime_error{"failed"};
            case start_outcome::crash:
              book->write("start " + mine.id + " crash");
              throw 42;
            }
            book->write("start " + mine.id);
            if (mine.plain_actor) return start_plain(*c.system, mine.id, book);
            return port::spawn_state<speaking_child>(*c.system, c, mine, book);
          },
          .link = what.plain_actor ? child_link::exit : child_link::messages};
}

} // namespace coppice::otp
