#include <charconv>
#include <coppice/http/ascii.hpp>
#include <coppice/http/head_parser.hpp>
#include <coppice/http/percent.hpp>
#include <llhttp.h>

namespace coppice::http {

/// What llhttp tells while it reads one head.
struct head_parser::reading {
  request& into;
  const char* base;
  unsigned flags = 0;
  std::uint64_t length = 0;
  unsigned minor = 0;
  bool keep_alive = false;
  bool ended = false;

  static reading& of(llhttp_t* parser) { return *static_cast<reading*>(parser->data); }

  [[nodiscard]] request::part part(const char* at, std::size_t size) const {
    return {static_cast<std::uint32_t>(at - base), static_cast<std::uint32_t>(size)};
  }

  // The head is given whole, so every span comes in one piece.
  static int on_url(llhttp_t* parser, const char* at, std::size_t size) {
    reading& self = of(parser);
    self.into.target_ = self.part(at, size);
    return 0;
  }
  static int on_name(llhttp_t* parser, const char* at, std::size_t size) {
    reading& self = of(parser);
    self.into.fields_.push_back({self.part(at, size), {}});
    return 0;
  }
  static int on_value(llhttp_t* parser, const char* at, std::size_t size) {
    reading& self = of(parser);
    if (self.into.fields_.empty()) return HPE_USER;
    while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t')) --size;
    self.into.fields_.back().value = self.part(at, size);
    return 0;
  }
  static int on_end(llhttp_t* parser) {
    reading& self = of(parser);
    self.flags = parser->flags;
    self.length = parser->content_length;
    self.minor = parser->http_minor;
    self.keep_alive = llhttp_should_keep_alive(parser) != 0;
    self.ended = true;
    parser->upgrade =
        0; // an offer that is not taken: the request is served as it is (RFC 9110, 7.8)
    return 0;
  }
};

refusal head_parser::parse(std::string_view message, std::size_t head_size,
                           std::size_t request_line, std::size_t fields, const options& bounds,
                           request& into, framing& how) {
  static constexpr llhttp_settings_t settings = [] {
    llhttp_settings_t s{};
    s.on_url = reading::on_url;
    s.on_header_field = reading::on_name;
    s.on_header_value = reading::on_value;
    s.on_headers_complete = reading::on_end;
    return s;
  }();

  into.borrowed_ = message.data();
  into.size_ = head_size;
  into.fields_.clear();
  reading head{.into = into, .base = message.data()};
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &head;
  const auto code =
      llhttp_execute(&parser, message.data() + request_line, head_size - request_line);
  switch (code) {
  case HPE_OK:
    break;
  case HPE_INVALID_METHOD:   // a token, the guard has seen to it
  case HPE_INVALID_CONSTANT: // a method of another protocol that llhttp knows, too
    return {501, "this method is not known here"};
  case HPE_INVALID_CONTENT_LENGTH:
    return {400, "Content-Length is not a number"};
  case HPE_UNEXPECTED_CONTENT_LENGTH:
    return {400, "more than one length"};
  case HPE_INVALID_TRANSFER_ENCODING:
    return {400, "the last transfer coding is not chunked"};
  default:
    return {400, "the head is malformed"};
  }
  // The guard and the parser have to agree on what the fields are.
  if (!head.ended || into.fields_.size() != fields) return {400, "the head is malformed"};

  const auto target_at = into.target_.at;
  into.method_ = {static_cast<std::uint32_t>(request_line),
                  target_at - 1 - static_cast<std::uint32_t>(request_line)};
  into.minor_ = static_cast<std::uint8_t>(head.minor);
  how = {.length = head.length, .keep_alive = head.keep_alive};
  if (into.method() == "CONNECT") return {501, "this is not a proxy"};
  if (const refusal why = read_fields(head, bounds, into, how)) return why;
  return split_target(into);
}

namespace {

/// Where a field that means something to the connection stands.
struct noted {
  std::string_view value;
  unsigned count = 0;
  void note(std::string_view v) { value = v, ++count; }
};

/// The transfer coding that is applied last: the last of a list.
std::string_view last_coding(std::string_view codings) {
  const std::size_t comma = codings.rfind(',');
  return ascii::trim(comma == codings.npos ? codings : codings.substr(comma + 1));
}

bool decimal(std::string_view text) {
  for (const char c : text)
    if (!ascii::digit(c)) return false;
  return !text.empty();
}

} // namespace

refusal head_parser::read_fields(const reading& head, const options& bounds, request& into,
                                 framing& how) {
  noted length, coding;
  for (const request::field& field : into.fields_) {
    // The length of its name tells most fields apart from those that matter.
    const std::string_view name = into.view(field.name), value = into.view(field.value);
    if (name.size() == 4 && ascii::equal(name, "host")) {
      into.host_ = field.value;
    } else if (name.size() == 6 && head.minor > 0 && ascii::equal(name, "expect")) {
      // HTTP/1.0 has no Expect (RFC 9110, 10.1.1)
      if (!ascii::equal(value, "100-continue")) return {417, "this expectation is not known here"};
      how.expects_continue = true;
    } else if (name.size() == 14 && ascii::equal(name, "content-length")) {
      length.note(value);
    } else if (name.size() == 17 && ascii::equal(name, "transfer-encoding")) {
      coding.note(value);
    }
  }

  if (coding.count > 0) {
    // RFC 9112, 6.1 and 6.3. llhttp refuses some of it, too; here is the whole of it.
    if (head.minor == 0) return {400, "a transfer coding in HTTP/1.0"};
    if (length.count > 0) return {400, "both a length and a transfer coding"};
    if (coding.count > 1) return {400, "more than one Transfer-Encoding"};
    if (!ascii::equal(last_coding(coding.value), "chunked"))
      return {400, "the last transfer coding is not chunked"};
    if (coding.value.size() != 7) return {501, "only chunked is known of transfer codings"};
    how.chunked = true;
  } else if (length.count > 0) {
    if (length.count > 1 || !decimal(length.value))
      return {400, "Content-Length is not one number"};
    if (how.length > bounds.max_body) return {413, "the content is too large"};
  } else if (const auto method = into.method();
             bounds.require_length && (method == "POST" || method == "PUT" || method == "PATCH")) {
    return {411, "say Content-Length, or use chunked"};
  }
  if (how.chunked != ((head.flags & F_CHUNKED) != 0)) return {400, "the head is malformed"};
  return {};
}

refusal head_parser::split_target(request& into) {
  // RFC 9112, 3.2: origin-form, absolute-form, asterisk-form; authority-form is for CONNECT.
  const std::string_view target = into.target();
  std::size_t path = 0;
  if (target.front() != '/') {
    if (target == "*" && into.method() == "OPTIONS") {
      into.path_ = into.target_;
      return {};
    }
    const std::size_t scheme = target.find("://");
    if (scheme == target.npos || !(ascii::equal(target.substr(0, scheme), "http") ||
                                   ascii::equal(target.substr(0, scheme), "https")))
      return {400, "the target is neither a path nor an http URI"};
    const std::size_t authority = scheme + 3;
    path = std::min(target.find_first_of("/?", authority), target.size());
    const std::string_view host = target.substr(authority, path - authority);
    if (host.empty() || !ascii::host(host)) return {400, "the target's host is not a host"};
    into.host_ = {into.target_.at + static_cast<std::uint32_t>(authority),
                  static_cast<std::uint32_t>(host.size())};
  }
  const std::size_t question = std::min(target.find('?', path), target.size());
  const auto part_of_target = [&](std::size_t from, std::size_t to) {
    return request::part{into.target_.at + static_cast<std::uint32_t>(from),
                         static_cast<std::uint32_t>(to - from)};
  };
  into.path_ = part_of_target(path, question);
  if (question < target.size()) into.query_ = part_of_target(question + 1, target.size());

  const std::string_view raw = into.raw_path();
  if (raw.empty()) {
    into.decoded_path_ = "/";
  } else if (raw.find('%') != raw.npos) {
    if (!well_escaped(raw)) return {400, "the path is not percent-encoded"};
    into.decoded_path_ = percent_decode(raw);
    if (into.decoded_path_.find('\0') != std::string::npos) return {400, "the path holds a NUL"};
  }
  return {};
}

} // namespace coppice::http
