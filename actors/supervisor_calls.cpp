#include <coppice/actors/spec.hpp>
#include <coppice/actors/supervisor_calls.hpp>
#include <coppice/supervisors/child_maker.hpp>

#include <fmt/format.h>
#include <utility>

namespace coppice {
namespace {

/// From an answer of any kind to the kind that this call has.
template <class T>
supervisor_calls::then<call_value> as(supervisor_calls::then<T> answer) {
  if (!answer) return {};
  return [answer = std::move(answer)](const call_answer& said) {
    if (!said) return answer(tl::unexpected{said.error()});
    if constexpr (std::is_void_v<T>)
      answer({});
    else
      answer(std::get<T>(*said));
  };
}

} // namespace

void supervisor_calls::call(std::string supervisor, calls::request what, then<call_value> answer,
                            std::shared_ptr<const child_maker> start) const {
  if (!answer) answer = [](const call_answer&) {};
  if (!carrier_) return answer(refused(call_error::shutting_down, "there is no primary"));
  carrier_(std::move(supervisor), std::move(what), std::move(start), std::move(answer));
}

void supervisor_calls::start_child(std::string supervisor, std::vector<std::string> args,
                                   then<child_info> answer) const {
  call(std::move(supervisor), calls::start_child{.args = std::move(args)},
       as<child_info>(std::move(answer)));
}

void supervisor_calls::start_child(std::string supervisor, child_spec spec,
                                   std::shared_ptr<const child_maker> start,
                                   then<child_info> answer) const {
  call(std::move(supervisor), calls::start_child{.spec = std::move(spec)},
       as<child_info>(std::move(answer)), std::move(start));
}

void supervisor_calls::start_child(std::string supervisor, const program& child,
                                   then<child_info> answer) const {
  if (const auto errors = validate(child.spec()); !errors.empty()) {
    if (answer)
      as<child_info>(std::move(answer))(
          refused(call_error::invalid_spec,
                  fmt::format("start_child {}: {}: {}", child.spec().name,
                              to_string(call_error::invalid_spec), errors.front())));
    return;
  }
  start_child(std::move(supervisor), child_of(child.spec()), programs_ ? programs_(child) : nullptr,
              std::move(answer));
}

void supervisor_calls::stop_child(std::string supervisor, std::string id, then<void> answer) const {
  call(std::move(supervisor), calls::stop_child{std::move(id)}, as<void>(std::move(answer)));
}

void supervisor_calls::restart_child(std::string supervisor, std::string id,
                                     then<child_info> answer) const {
  call(std::move(supervisor), calls::restart_child{std::move(id)},
       as<child_info>(std::move(answer)));
}

void supervisor_calls::delete_child(std::string supervisor, std::string id,
                                    then<void> answer) const {
  call(std::move(supervisor), calls::delete_child{std::move(id)}, as<void>(std::move(answer)));
}

void supervisor_calls::which_children(std::string supervisor,
                                      then<std::vector<child_info>> answer) const {
  call(std::move(supervisor), calls::which_children{},
       as<std::vector<child_info>>(std::move(answer)));
}

void supervisor_calls::count_children(std::string supervisor, then<child_counts> answer) const {
  call(std::move(supervisor), calls::count_children{}, as<child_counts>(std::move(answer)));
}

void supervisor_calls::get_child_spec(std::string supervisor, std::string id,
                                      then<child_spec> answer) const {
  call(std::move(supervisor), calls::get_child_spec{std::move(id)},
       as<child_spec>(std::move(answer)));
}

void supervisor_calls::scale(std::string supervisor, unsigned children, then<scaled> answer) const {
  call(std::move(supervisor), calls::scale{children}, as<scaled>(std::move(answer)));
}

} // namespace coppice
