#include <algorithm>
#include <bit>
#include <coppice/http/ascii.hpp>
#include <coppice/http/head_guard.hpp>
#include <cstdint>
#include <cstring>

namespace coppice::http {
namespace {

constexpr bool control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// The first control character at or behind `at`; text.size() if there is none.
std::size_t next_control(std::string_view text, std::size_t at) noexcept {
  // Eight bytes at a time. The lowest marked byte is exact: a borrow only spreads upwards from a
  // true mark.
  constexpr std::uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
  if constexpr (std::endian::native == std::endian::little) {
    for (; text.size() - at >= 8; at += 8) {
      std::uint64_t word;
      std::memcpy(&word, text.data() + at, 8);
      const std::uint64_t no_delete = word ^ (ones * 0x7f);
      const std::uint64_t marks =
          (((word - ones * 0x20) & ~word) | ((no_delete - ones) & ~no_delete)) & highs;
      if (marks) return at + static_cast<std::size_t>(std::countr_zero(marks)) / 8;
    }
  }
  while (at < text.size() && !control(text[at])) ++at;
  return at;
}

} // namespace

head_guard::verdict head_guard::scan(std::string_view message, const options& bounds) {
  for (;;) {
    const std::size_t at = next_control(message, next_);
    next_ = at;
    if ((why_ = too_long(at, bounds))) return verdict::refused;
    if (at == message.size()) return verdict::incomplete;
    if (message[at] == '\t') { // only within a value, which check_field sees to
      ++next_;
      continue;
    }
    if (message[at] != '\r')
      return why_ = {400, message[at] == '\n' ? "a line ends in LF alone" : "a control character"},
             verdict::refused;
    if (at + 1 == message.size()) return verdict::incomplete;
    if (message[at + 1] != '\n') return why_ = {400, "a CR without LF"}, verdict::refused;

    const std::string_view line = message.substr(line_start_, at - line_start_);
    line_start_ = next_ = at + 2;
    if (!in_fields_ && line.empty()) {
      request_line_ = line_start_;
      if (++empty_lines_ > limits::http_empty_lines)
        return why_ = {400, "empty lines instead of a request"}, verdict::refused;
      continue;
    }
    if (in_fields_ && line.empty())
      return (why_ = check_end()) ? verdict::refused : verdict::complete;
    why_ = in_fields_ ? check_field(line, bounds) : check_request_line(line);
    if (why_) return verdict::refused;
    in_fields_ = true;
  }
}

/// The line that the first control character at `at` ends, or is in, is within its bound and the
/// head's.
refusal head_guard::too_long(std::size_t at, const options& bounds) const {
  const std::size_t line_end = line_start_ + bounds.max_line;
  if (at <= std::min(line_end, bounds.max_head)) return {};
  if (line_end <= bounds.max_head && !in_fields_) return {414, "the request line is too long"};
  if (line_end <= bounds.max_head) return {431, "a header field is too long"};
  return {431, "the head is too long"};
}

refusal head_guard::check_request_line(std::string_view line) {
  // method SP request-target SP HTTP-version, with single blanks (RFC 9112, 3)
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == line.npos || first == last)
    return {400, "the request line is not method, target and version"};
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!ascii::token(line.substr(0, first))) return {400, "the method is not a token"};
  if (!ascii::target(target)) return {400, "the target is not a URI"};
  if (version.size() != 8 || !version.starts_with("HTTP/") || !ascii::digit(version[5]) ||
      version[6] != '.' || !ascii::digit(version[7]))
    return {400, "the request line does not end in a version"};
  http_1_1_ = version.ends_with("1.1");
  if (!http_1_1_ && !version.ends_with("1.0")) return {505, "HTTP/1.0 and HTTP/1.1 are served"};
  return {};
}

refusal head_guard::check_field(std::string_view line, const options& bounds) {
  if (line.front() == ' ' || line.front() == '\t') return {400, "a folded header field"};
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return {400, "a header field without a colon"};
  if (!ascii::token(line.substr(0, colon))) return {400, "the name of a field is not a token"};
  if (++fields_ > bounds.max_headers) return {431, "too many header fields"};
  if (colon == 4 && ascii::equal(line.substr(0, 4), "host")) {
    if (++hosts_ > 1) return {400, "more than one Host"};
    if (!ascii::host(ascii::trim(line.substr(5)))) return {400, "the Host is not a host"};
  }
  return {};
}

refusal head_guard::check_end() const {
  // RFC 9112, 3.2
  if (http_1_1_ && hosts_ == 0) return {400, "a request without Host"};
  return {};
}

} // namespace coppice::http
