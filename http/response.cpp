#include <array>
#include <coppice/http/ascii.hpp>
#include <coppice/http/response.hpp>
#include <coppice/http/status.hpp>
#include <stdexcept>

namespace coppice::http {
namespace {

bool belongs_to_connection(std::string_view name) {
  static constexpr std::array<std::string_view, 5> names{"content-length", "transfer-encoding",
                                                         "connection", "keep-alive", "upgrade"};
  for (const std::string_view own : names)
    if (ascii::equal(name, own)) return true;
  return false;
}

} // namespace

response& response::status(int code) & {
  if (code < 200 || code > 599)
    throw std::invalid_argument{"http: status " + std::to_string(code) + " is not a final one"};
  status_ = code;
  return *this;
}

response& response::header(std::string_view name, std::string_view value) & {
  // The text of an exception may end up in a log, so it quotes only what is known to be harmless.
  if (!ascii::token(name)) throw std::invalid_argument{"http: the name of a field is not a token"};
  if (!ascii::field_value(value))
    throw std::invalid_argument{"http: the value of " + std::string{name} +
                                " holds a control character"};
  if (belongs_to_connection(name))
    throw std::invalid_argument{"http: " + std::string{name} +
                                " is not a handler's to set: the connection does"};
  if (ascii::equal(name, "content-type")) type_ = {};
  if (ascii::equal(name, "date")) dated_ = true;
  fields_.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

response& response::body(std::string content) & {
  body_ = std::move(content);
  source_ = nullptr;
  length_.reset();
  return *this;
}

response& response::body(body_source source, std::optional<std::uint64_t> length) & {
  body_.clear();
  source_ = std::move(source);
  length_ = length;
  return *this;
}

response typed(int status, std::string_view type, std::string body) {
  response made{status};
  made.type_ = type;
  made.body_ = std::move(body);
  return made;
}

response text(std::string body, int status) {
  return typed(status, "text/plain; charset=utf-8", std::move(body));
}
response html(std::string body, int status) {
  return typed(status, "text/html; charset=utf-8", std::move(body));
}
response json_text(std::string body, int status) {
  return typed(status, "application/json", std::move(body));
}
response bytes(std::string body, int status) {
  return typed(status, "application/octet-stream", std::move(body));
}

response status(int code) {
  if (without_content(code)) return response{code};
  std::string line = std::to_string(code);
  if (const auto phrase = reason_phrase(code); !phrase.empty()) line.append(" ").append(phrase);
  return text(line += '\n', code);
}

response redirect(std::string_view location, int status) {
  return http::status(status).header("Location", location);
}

} // namespace coppice::http
