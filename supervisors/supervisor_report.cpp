#include <coppice/supervisors/supervisor_report.hpp>

#include <fmt/format.h>

namespace coppice {
namespace {

std::string offender_text(const supervisor_report::offender_info& child) {
  return child.pid == 0
             ? fmt::format("{} (incarnation {})", child.id, child.incarnation)
             : fmt::format("{} (incarnation {}, pid {})", child.id, child.incarnation, child.pid);
}

std::string what_happened(const supervisor_report& report) {
  const std::string after = report.uptime ? " after " + to_text(*report.uptime) : "";
  switch (report.context) {
  case report_context::started:
    return "ready" + after;
  case report_context::child_terminated:
    return (report.delay ? "restarted because of " : "ended because of ") + report.reason + after;
  case report_context::start_error:
    return (report.delay ? "start failed, tried again: " : "start failed: ") + report.reason +
           after;
  case report_context::shutdown_error:
    return "did not stop well: " + report.reason;
  case report_context::retires:
    return "is replaced because of " + report.reason + after;
  case report_context::degraded:
    return "degraded because of " + report.reason + after;
  case report_context::recovered:
    return "recovered" + after;
  case report_context::shutdown:
    return "shuts down: " + report.reason;
  }
  return report.reason;
}

} // namespace

std::string_view to_string(report_context context) noexcept {
  switch (context) {
  case report_context::started:
    return "started";
  case report_context::child_terminated:
    return "child_terminated";
  case report_context::start_error:
    return "start_error";
  case report_context::shutdown_error:
    return "shutdown_error";
  case report_context::retires:
    return "retires";
  case report_context::degraded:
    return "degraded";
  case report_context::recovered:
    return "recovered";
  case report_context::shutdown:
    return "shutdown";
  }
  return "unknown";
}

std::string to_text(const supervisor_report& report) {
  std::string text = report.offender ? offender_text(*report.offender) : report.supervisor;
  text += ": " + what_happened(report);
  if (report.delay) text += "; delay " + to_text(*report.delay);
  if (report.count)
    text += fmt::format("; {} of {} in {}", report.count->restarts, report.count->allowed,
                        to_text(report.count->period));
  return text;
}

} // namespace coppice
