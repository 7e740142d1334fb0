#pragma once
// Feeds a request parser as a connection would, in whatever pieces.

#include <coppice/http/request_parser.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::http::testing {

/// What came out of one request.
struct outcome {
  request_parser::state where{};
  int status = 0; ///< of a refusal
  std::string_view why;
  std::string message; ///< everything a handler can see of a complete request
  std::size_t size = 0;
  bool keep_alive = false;

  bool operator==(const outcome&) const = default;
};

inline std::string describe(const request& r) {
  std::string text;
  const auto line = [&](std::string_view name, std::string_view value) {
    text.append(name).append("=[").append(value).append("]\n");
  };
  line("method", r.method());
  line("target", r.target());
  line("path", r.path());
  line("raw_path", r.raw_path());
  line("query", r.query());
  line("host", r.host());
  line("minor", std::to_string(r.minor_version()));
  for (const auto [name, value] : r.headers()) line(name, value);
  line("body", r.body());
  return text;
}

inline outcome result_of(const request_parser& parser, std::size_t size) {
  outcome out;
  out.where = parser.where();
  if (parser.where() == request_parser::state::refused) {
    out.status = parser.why().status;
    out.why = parser.why().why;
  } else if (parser.where() == request_parser::state::complete) {
    out.message = describe(parser.message());
    out.size = size;
    out.keep_alive = parser.keep_alive();
  }
  return out;
}

inline bool over(const request_parser& parser) {
  return parser.where() == request_parser::state::complete ||
         parser.where() == request_parser::state::refused;
}

/// In place: the parser sees the first `cuts[0]` bytes, then the first `cuts[1]`, ..., then all.
/// Each time at another address, as a connection's input moves.
inline outcome parse_in_place(std::string_view bytes, const std::vector<std::size_t>& cuts,
                              const options& bounds) {
  request_parser parser{bounds};
  std::string input;
  for (std::size_t i = 0; i <= cuts.size() && !over(parser); ++i) {
    std::string moved{bytes.substr(0, i < cuts.size() ? cuts[i] : bytes.size())};
    input.swap(moved);
    parser.parse(input);
  }
  return result_of(parser, parser.size());
}

/// The same, but after `kept_from` bytes the parser keeps the request, and what it takes goes.
inline outcome parse_kept(std::string_view bytes, std::size_t kept_from, std::size_t step,
                          const options& bounds) {
  request_parser parser{bounds};
  auto begun = std::make_unique<std::string>(bytes.substr(0, kept_from));
  parser.parse(*begun);
  if (over(parser)) return result_of(parser, parser.size());
  parser.keep(*begun);
  begun.reset(); // from here on a look at it is an error
  std::size_t taken = kept_from;
  for (std::size_t at = kept_from; at < bytes.size() && !over(parser);) {
    const std::string fresh{bytes.substr(taken, at + step - taken)};
    taken += parser.take(fresh);
    at += step;
  }
  return result_of(parser, taken);
}

inline outcome parse_whole(std::string_view bytes, const options& bounds) {
  return parse_in_place(bytes, {}, bounds);
}

} // namespace coppice::http::testing
