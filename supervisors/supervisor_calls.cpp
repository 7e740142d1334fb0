// Calls to the supervisor actor: passed down the tree to whom they are for, or into the core.
#include <coppice/supervisors/supervisor_actor.hpp>

#include <utility>

namespace coppice {
namespace {

supervisor_answer no(call_error code, std::string text) { return {refused(code, std::move(text))}; }

} // namespace

caf::response_promise supervisor_actor::on_call(supervisor_call& call) {
  caf::response_promise promise = self_->make_response_promise();
  if (!call.path.empty()) {
    const std::string id = call.path.front();
    const auto key = core_.children().key_of(id);
    if (!key || core_.children()[*key].spec.type != child_type::supervisor) {
      promise.deliver(no(call_error::not_found, options_.id + " has no supervisor " + id));
    } else if (const caf::actor below =
                   children_.at(*key).actor(core_.children()[*key].incarnation);
               !below) {
      promise.deliver(no(call_error::shutting_down, id + " does not run"));
    } else {
      call.path.erase(call.path.begin());
      promise.delegate(below, std::move(call));
    }
    return promise;
  }

  auto* start = std::get_if<calls::start_child>(&call.what);
  if (start && start->spec && !call.start.make) {
    promise.deliver(
        no(call_error::invalid_spec, start->spec->id + ": nothing says how to start it"));
    return promise;
  }
  const std::uint64_t ticket = ++last_ticket_;
  open_call& open = open_calls_[ticket];
  open.promise = promise;
  open.start = std::make_shared<const child_maker>(std::move(call.start));
  if (start) open.args = start->args;
  feed(supervising::call{ticket, std::move(call.what)});
  return promise;
}

void supervisor_actor::act(const supervising::adopt_child& what) {
  kept_child& added = children_[what.child];
  added.number = core_.children()[what.child].number;
  if (const auto call = open_calls_.find(what.ticket); call != open_calls_.end()) {
    added.how = std::move(call->second.start);
    added.args = std::move(call->second.args);
  }
  if (dynamic_) added.how = dynamic_;
}

void supervisor_actor::act(const supervising::forget_child& what) {
  deadlines_.drop(what.child);
  const auto& gone = children_.at(what.child);
  // One that stops with all of its children may come back with them.
  const bool for_good = core_.state() != supervisor_state::stopping;
  if (for_good && gone.how && gone.how->forgotten) gone.how->forgotten(gone.number);
  children_.erase(what.child);
}

void supervisor_actor::act(const supervising::reply& what) {
  const auto call = open_calls_.find(what.ticket);
  if (call == open_calls_.end()) return;
  call->second.promise.deliver(supervisor_answer{what.answer});
  open_calls_.erase(call);
}

} // namespace coppice
