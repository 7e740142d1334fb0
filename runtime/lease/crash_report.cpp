#include <coppice/runtime/lease/crash_report.hpp>

#include <coppice/runtime/limits.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>

namespace coppice {
namespace {

constexpr std::string_view end_of_line = "\r\n";

bool is_token(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

/// METHOD, a space, a target, a space, HTTP/ (RFC 9112, 3).
bool begins_as_http(std::string_view request) {
  const std::string_view line = request.substr(0, request.find(end_of_line));
  const auto method_end = line.find(' ');
  const auto version_at = line.rfind(" HTTP/");
  return method_end != std::string_view::npos && method_end > 0 &&
         version_at != std::string_view::npos && version_at > method_end &&
         std::ranges::all_of(line.substr(0, method_end), is_token);
}

bool is_secret(std::string_view name) {
  constexpr std::array<std::string_view, 6> secret{
      "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token"};
  return std::ranges::any_of(secret, [&](std::string_view each) {
    return std::ranges::equal(each, name, [](char a, char b) {
      return a == std::tolower(static_cast<unsigned char>(b));
    });
  });
}

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    if (c >= ' ' && c < '\x7f')
      text += c;
    else
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return text;
}

/// One line of a head, without its end.
std::string printable_field(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_secret(line.substr(0, colon))) return printable(line);
  return fmt::format("{}: ({} bytes)", printable(line.substr(0, colon)), line.size() - colon - 1);
}

} // namespace

std::string first_line(std::string_view request) {
  if (!begins_as_http(request)) return fmt::format("{} bytes", request.size());
  std::string_view line = request.substr(0, request.find(end_of_line));
  const bool cut = line.size() > limits::crash_report_line;
  if (cut) line = line.substr(0, limits::crash_report_line);
  return printable(line) + (cut ? "..." : "");
}

std::string printable_head(std::string_view request) {
  if (!begins_as_http(request))
    return fmt::format("({} bytes that are not an HTTP request)\n", request.size());
  const auto head_end = request.find("\r\n\r\n");
  const bool whole = head_end != std::string_view::npos;
  std::string_view head = request.substr(0, whole ? head_end : request.size());
  std::string text;
  bool in_secret = false; // a line that goes on begins with a space (RFC 9112, 5.2)
  while (!head.empty()) {
    const auto end = std::min(head.find(end_of_line), head.size());
    const std::string_view line = head.substr(0, end);
    const bool goes_on = line.starts_with(' ') || line.starts_with('\t');
    if (!goes_on) in_secret = is_secret(line.substr(0, line.find(':')));
    if (!goes_on || !in_secret) text += printable_field(line) + '\n';
    head.remove_prefix(std::min(end + end_of_line.size(), head.size()));
  }
  if (!whole) return text + "(the head goes on)\n";
  if (const auto body = request.size() - head_end - 4; body > 0)
    text += fmt::format("({} bytes follow)\n", body);
  return text;
}

std::string to_text(const crash_report& report) {
  std::string text = fmt::format(
      "A request that workers of pool {} crashed over is refused from {:%FT%TZ} on.\n\n",
      report.pool, fmt::gmtime(std::chrono::system_clock::to_time_t(report.when)));
  for (const auto& death : report.deaths) text += death + '\n';
  return text + '\n' + printable_head(report.request);
}

} // namespace coppice
