#pragma once
// The guard in front of the parser: one pass over the head of a request, as it arrives, that finds
// its end, keeps its bounds, and refuses what the parser would let through although two readers may
// take it differently (request smuggling): a CR without LF, a blank before a colon, folded lines,
// control characters, no or two Hosts.
//
// It reports the first fault by place, so that the verdict does not depend on how the bytes were
// split on their way. Pure. Thread-safety: none.

#include <coppice/http/options.hpp>
#include <coppice/http/refusal.hpp>
#include <cstddef>
#include <string_view>

namespace coppice::http {

class head_guard {
public:
  enum class verdict {
    incomplete, ///< no fault so far, and no end
    complete,   ///< the head ends at size()
    refused,    ///< why() says it
  };

  /// `message`: everything since the end of the last request, what was seen by the last call
  /// included.
  verdict scan(std::string_view message, const options& bounds);

  /// Bytes of the head, with the empty line that ends it.
  [[nodiscard]] std::size_t size() const noexcept { return line_start_; }
  /// Where the request line begins: behind empty lines that are ignored.
  [[nodiscard]] std::size_t request_line() const noexcept { return request_line_; }
  /// Header fields seen.
  [[nodiscard]] std::size_t fields() const noexcept { return fields_; }
  [[nodiscard]] refusal why() const noexcept { return why_; }

private:
  refusal check_request_line(std::string_view line);
  refusal check_field(std::string_view line, const options& bounds);
  refusal check_end() const;
  refusal too_long(std::size_t at, const options& bounds) const;

  std::size_t next_ = 0;         ///< where to go on looking
  std::size_t line_start_ = 0;   ///< of the line that `next_` is in
  std::size_t request_line_ = 0; ///< where it begins
  std::size_t empty_lines_ = 0;
  std::size_t fields_ = 0;
  std::size_t hosts_ = 0;
  bool in_fields_ = false; ///< the request line is over
  bool http_1_1_ = false;
  refusal why_;
};

} // namespace coppice::http
