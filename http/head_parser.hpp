#pragma once
// The head of a request, understood: llhttp takes it apart, and what HTTP says about the fields
// that matter to the connection is decided here. Pure. Thread-safety: none.

#include <coppice/http/options.hpp>
#include <coppice/http/refusal.hpp>
#include <coppice/http/request.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace coppice::http {

/// How a request's content is delimited, and what its sender expects of the connection.
struct framing {
  bool chunked = false;
  std::uint64_t length = 0; ///< of the content, if it is not chunked
  bool keep_alive = false;  ///< the sender would use the connection again
  bool expects_continue = false;
};

class head_parser {
public:
  /// `message` begins with a head of `head_size` bytes that the guard has passed; its request line
  /// begins at `request_line`, and it has `fields` fields. Fills `into`, which borrows `message`,
  /// and `how`.
  static refusal parse(std::string_view message, std::size_t head_size, std::size_t request_line,
                       std::size_t fields, const options& bounds, request& into, framing& how);

private:
  struct reading;
  static refusal split_target(request& into);
  static refusal read_fields(const reading& head, const options& bounds, request& into,
                             framing& how);
};

} // namespace coppice::http
