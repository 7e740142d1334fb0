#include <coppice/supervisors/supervisor_actor.hpp>

#include <coppice/runtime/limits.hpp>

#include <exception>
#include <utility>
#include <variant>

namespace coppice {
namespace {

std::vector<child_spec> specs_of(const std::vector<startable>& children) {
  std::vector<child_spec> specs;
  specs.reserve(children.size());
  for (const startable& each : children) specs.push_back(each.spec);
  return specs;
}

void write(logger& log, const supervisor_report& report) {
  const std::string text = to_text(report);
  switch (report.context) {
  case report_context::started:
    return log.debug("{}", text);
  case report_context::recovered:
    return log.info("{}", text);
  case report_context::retires:
  case report_context::child_terminated:
    return report.well ? log.info("{}", text) : log.warn("{}", text);
  case report_context::start_error:
  case report_context::shutdown_error:
    return log.warn("{}", text);
  case report_context::degraded:
  case report_context::shutdown:
    return log.error("{}", text);
  }
}

stop_how word_for(supervising::stop_mode how) {
  switch (how) {
  case supervising::stop_mode::shutdown:
    return stop_how::shutdown;
  case supervising::stop_mode::hurry:
    return stop_how::hurry;
  case supervising::stop_mode::kill:
    return stop_how::kill;
  }
  return stop_how::kill;
}

void tell_to_stop(const caf::actor& whom, child_link link, stop_how how) {
  switch (link) {
  case child_link::messages:
    port::anon_mail(stop_child{how}).send(whom);
    return;
  case child_link::exit:
    caf::anon_send_exit(whom, how == stop_how::kill ? caf::exit_reason::kill
                                                    : caf::exit_reason::user_shutdown);
    return;
  }
}

} // namespace

supervision supervisor_actor::core_of(const supervisor_options& options) {
  if (!options.dynamic) return {options.id, options.spec, specs_of(options.children), options.seed};
  const dynamic_children& dynamic = *options.dynamic;
  return {options.id, options.spec, specs_of(options.children),
          child_template{dynamic.how.spec, dynamic.initial, dynamic.max_children}, options.seed};
}

supervisor_actor::supervisor_actor(caf::event_based_actor* self, supervisor_options options)
    : self_{self},
      options_{std::move(options)},
      core_{core_of(options_)} {
  child_key key = 0; // the core counts them in the same way
  for (startable& each : options_.children)
    children_.emplace(key++, kept_child{.how = std::make_shared<const child_maker>(
                                            child_maker{std::move(each.start), each.link, each.kind,
                                                        std::move(each.forgotten)})});
  options_.children.clear();
  if (options_.dynamic)
    dynamic_ = std::make_shared<const child_maker>(
        child_maker{options_.dynamic->how.start, options_.dynamic->how.link,
                    options_.dynamic->how.kind, options_.dynamic->how.forgotten});
}

/// Only if it was killed itself there is anything left to do.
supervisor_actor::~supervisor_actor() {
  for (const supervised_child& each : core_.children()) {
    const kept_child& child = children_.at(each.key);
    for (const auto& [incarnation, actor] : child.living)
      tell_to_stop(actor, child.how->link, stop_how::kill);
  }
  for (auto& [ticket, call] : open_calls_)
    call.promise.deliver(supervisor_answer{refused(call_error::shutting_down, options_.id)});
}

caf::behavior supervisor_actor::make_behavior() {
  feed(supervising::begin{});
  return {
      [this](const stop_child& m) { on_stop(m.how); },
      [this](const child_ready& m) { on_ready(m); },
      [this](const child_ended& m) {
        if (const auto key = core_.children().key_of(m.id)) on_ended(*key, m.incarnation, m.ending);
      },
      [this](const child_retires& m) { on_retires(m); },
      [this](const child_actor_gone& m) { on_gone(m); },
      [this](const wake_up& m) { on_wake_up(m); },
      [this](const describe&) { return on_describe(); },
      [this](supervisor_call& m) { return on_call(m); },
  };
}

// ---- events -----------------------------------------------------------------------------------

void supervisor_actor::feed(const supervising::event& what) { feed(what, self_->clock().now()); }

void supervisor_actor::feed(const supervising::event& what, monotonic_time now) {
  for (const supervising::action& each : core_.decide(what, now))
    std::visit([this](const auto& one) { act(one); }, each);
  set_alarm(now);
}

void supervisor_actor::on_stop(stop_how how) {
  switch (how) {
  case stop_how::shutdown:
    return feed(supervising::stop_requested{});
  case stop_how::hurry:
    return feed(supervising::hurry{limits::hurried_stop});
  case stop_how::kill:
    return feed(supervising::kill{});
  }
}

void supervisor_actor::on_ready(const child_ready& said) {
  if (const auto key = core_.children().key_of(said.id))
    feed(supervising::child_ready{*key, said.incarnation, said.pid});
}

void supervisor_actor::on_retires(const child_retires& said) {
  if (const auto key = core_.children().key_of(said.id))
    feed(supervising::child_retires{*key, said.incarnation, said.how});
}

void supervisor_actor::on_ended(child_key key, std::uint64_t incarnation, ending how) {
  children_.at(key).living.erase(incarnation);
  feed(supervising::child_ended{key, incarnation, std::move(how)});
}

/// Of a child that speaks, this is the fallback: by its last word it is not expected any more.
void supervisor_actor::on_gone(const child_actor_gone& gone) {
  const auto child = children_.find(gone.child);
  if (child == children_.end()) return;
  ending how{ending::abnormal, gone.reason};
  switch (child->second.how->link) {
  case child_link::exit:
    // As in OTP, `shutdown` is as good an end as `normal`: it is what a stopped actor's exit says.
    if (gone.reason.empty() || gone.reason == to_string(caf::exit_reason::user_shutdown))
      how.how = ending::well;
    break;
  case child_link::messages:
    how.reason = gone.reason.empty() ? "ended without a word" : gone.reason;
    break;
  }
  on_ended(gone.child, gone.incarnation, std::move(how));
}

void supervisor_actor::on_wake_up(const wake_up& wake) {
  const monotonic_time now = std::max<monotonic_time>(self_->clock().now(), wake.at);
  for (const supervising::timer_token& token : deadlines_.take_due(now))
    feed(supervising::timer_due{token}, now);
  set_alarm(now);
}

void supervisor_actor::set_alarm(monotonic_time now) {
  if (core_.state() == supervisor_state::ended) return;
  if (const auto at = deadlines_.next_wake_up())
    port::mail(self_, wake_up{*at}).delay(*at - now).send(caf::actor_cast<caf::actor>(self_));
}

// ---- actions ----------------------------------------------------------------------------------

void supervisor_actor::act(const supervising::start_child& what) {
  kept_child& child = children_.at(what.child);
  const std::string& id = core_.children()[what.child].spec.id;
  caf::actor started;
  try {
    started = child.how->make({.system = &self_->system(),
                               .id = id,
                               .incarnation = what.incarnation,
                               .supervisor = caf::actor_cast<caf::actor>(self_),
                               .number = child.number,
                               .args = child.args});
  } catch (const std::exception& e) {
    return fail_later(what.child, what.incarnation, e.what());
  } catch (...) {
    return fail_later(what.child, what.incarnation, "an exception that is no std::exception");
  }
  if (!started) return fail_later(what.child, what.incarnation, "start gave no actor");

  port::watch(self_, started,
              [key = what.child, incarnation = what.incarnation](std::string reason) {
                return child_actor_gone{key, incarnation, std::move(reason)};
              });
  child.living[what.incarnation] = std::move(started);
  if (child.how->link == child_link::exit)
    port::mail(self_, child_ready{id, what.incarnation}).send(caf::actor_cast<caf::actor>(self_));
}

/// Through the mailbox: other messages get in between two attempts that fail at once.
void supervisor_actor::fail_later(child_key key, std::uint64_t incarnation, std::string reason) {
  port::mail(self_, child_ended{core_.children()[key].spec.id,
                                incarnation,
                                {ending::start_failed, std::move(reason)}})
      .send(caf::actor_cast<caf::actor>(self_));
}

void supervisor_actor::act(const supervising::stop_child& what) {
  const kept_child& child = children_.at(what.child);
  if (const auto actor = child.actor(what.incarnation))
    tell_to_stop(actor, child.how->link, word_for(what.how));
}

void supervisor_actor::act(const supervising::arm_timer& what) {
  deadlines_.set(what.token, what.due);
}

void supervisor_actor::act(const supervising::note& what) {
  if (options_.log) write(*options_.log, what.report);
}

void supervisor_actor::act(const supervising::report_up&) {
  port::mail(self_, child_ready{options_.id, options_.incarnation}).send(options_.parent);
}

void supervisor_actor::act(const supervising::stopped& what) { end(ending::well, what.reason); }

void supervisor_actor::act(const supervising::report_failed_start& what) {
  end(ending::start_failed, what.child_id + ": " + what.reason);
}

void supervisor_actor::act(const supervising::give_up& what) {
  end(ending::abnormal, "shutdown: " + what.reason);
}

void supervisor_actor::end(ending::kind how, std::string reason) {
  port::mail(self_, child_ended{options_.id, options_.incarnation, {how, std::move(reason)}})
      .send(options_.parent);
  self_->quit();
}

} // namespace coppice
