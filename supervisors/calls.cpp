#include <coppice/supervisors/calls.hpp>

#include <utility>

namespace coppice {

std::string_view to_string(call_error code) noexcept {
  switch (code) {
  case call_error::already_started:
    return "already_started";
  case call_error::already_present:
    return "already_present";
  case call_error::not_found:
    return "not_found";
  case call_error::running:
    return "running";
  case call_error::restarting:
    return "restarting";
  case call_error::dynamic_child:
    return "dynamic_child";
  case call_error::max_children:
    return "max_children";
  case call_error::invalid_spec:
    return "invalid_spec";
  case call_error::not_dynamic:
    return "not_dynamic";
  case call_error::start_failed:
    return "start_failed";
  case call_error::shutting_down:
    return "shutting_down";
  }
  return "unknown";
}

call_answer refused(call_error code, std::string text) {
  return tl::unexpected{call_failure{code, std::move(text)}};
}

std::string_view name_of(const calls::request& what) noexcept {
  struct {
    std::string_view operator()(const calls::start_child&) { return "start_child"; }
    std::string_view operator()(const calls::stop_child&) { return "stop_child"; }
    std::string_view operator()(const calls::restart_child&) { return "restart_child"; }
    std::string_view operator()(const calls::delete_child&) { return "delete_child"; }
    std::string_view operator()(const calls::which_children&) { return "which_children"; }
    std::string_view operator()(const calls::count_children&) { return "count_children"; }
    std::string_view operator()(const calls::get_child_spec&) { return "get_child_spec"; }
    std::string_view operator()(const calls::scale&) { return "scale"; }
  } names;
  return std::visit(names, what);
}

} // namespace coppice
