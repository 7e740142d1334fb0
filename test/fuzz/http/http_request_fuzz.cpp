// Requests: what comes out does not depend on how the bytes are split or whether they are kept;
// what is accepted holds to the guard's rules; and where llhttp alone understands the same bytes,
// it finds the same content and the same end.
//
// The first two bytes of an input say where to split and how large the later pieces are; the rest
// is the connection.

#include "../../unit/http/parse.hpp"
#include "must.hpp"

#include <algorithm>
#include <coppice/http/ascii.hpp>
#include <cstddef>
#include <cstdint>
#include <llhttp.h>
#include <string>
#include <string_view>

using namespace coppice::http;
using namespace coppice::http::testing;

namespace {

struct second_opinion {
  bool complete = false;
  std::string content;
  const char* end = nullptr;

  static second_opinion& of(llhttp_t* parser) {
    return *static_cast<second_opinion*>(parser->data);
  }
};

/// What llhttp makes of the same bytes, all by itself.
second_opinion ask_llhttp(std::string_view bytes) {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_headers_complete = [](llhttp_t* parser) {
    parser->upgrade = 0;
    return 0;
  };
  settings.on_body = [](llhttp_t* parser, const char* at, std::size_t size) {
    second_opinion::of(parser).content.append(at, size);
    return 0;
  };
  settings.on_message_complete = [](llhttp_t* parser) -> int {
    second_opinion::of(parser).complete = true;
    return HPE_PAUSED;
  };
  second_opinion opinion;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &opinion;
  llhttp_execute(&parser, bytes.data(), bytes.size());
  opinion.end = llhttp_get_error_pos(&parser);
  return opinion;
}

void must_hold_for_accepted(const request_parser& parser, std::string_view bytes) {
  const request& r = parser.message();
  std::size_t hosts = 0;
  for (const auto [name, value] : r.headers()) {
    must(ascii::token(name), "the name of a field is a token");
    must(ascii::field_value(value), "a value holds no control character");
    must(value == ascii::trim(value), "a value is without blanks around it");
    hosts += ascii::equal(name, "host");
  }
  must(hosts <= 1 && (hosts == 1 || r.minor_version() == 0), "one Host");
  must(ascii::token(r.method()) && ascii::target(r.target()), "the request line is clean");
  must(!r.path().empty(), "a path");
  must(r.path().find('\0') == r.path().npos, "no NUL in the path");
  const std::string_view message = bytes.substr(0, parser.size());
  const std::string_view head =
      message.substr(0, message.find("\r\n\r\n", bytes.find_first_not_of("\r\n")));
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (head[i] == '\r') must(i + 1 == head.size() || head[i + 1] == '\n', "CR before LF");
    if (head[i] == '\n') must(i > 0 && head[i - 1] == '\r', "LF behind CR");
  }

  const second_opinion opinion = ask_llhttp(message);
  if (!opinion.complete) return; // extensions of chunks, which it is stricter about
  must(opinion.content == r.body(), "the same content");
  must(opinion.end == message.data() + message.size(), "the same end");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t cut = data[0], step = data[1] % 64 + 1U;
  std::string_view bytes{reinterpret_cast<const char*>(data) + 2, size - 2};
  options bounds;
  bounds.max_line = 200;
  bounds.max_head = 800;
  bounds.max_headers = 10;
  bounds.max_body = 300;
  while (!bytes.empty()) {
    request_parser parser{bounds};
    parser.parse(bytes);
    const outcome whole = result_of(parser, parser.size());
    const std::size_t first = std::min(cut, bytes.size());
    must(parse_in_place(bytes, {first, std::min(first + step, bytes.size())}, bounds) == whole,
         "the same when split");
    must(parse_kept(bytes, first, step, bounds) == whole, "the same when kept");
    if (parser.where() == request_parser::state::refused)
      must(parser.why().status >= 400 && parser.why().status < 600 && !parser.why().why.empty(),
           "a refusal says why");
    if (parser.where() != request_parser::state::complete) break;
    must(parser.size() > 0 && parser.size() <= bytes.size(), "a request has a size");
    must_hold_for_accepted(parser, bytes);
    const request copy = parser.message();
    must(describe(copy) == whole.message, "a copy is the same");
    bytes.remove_prefix(parser.size());
  }
  return 0;
}
