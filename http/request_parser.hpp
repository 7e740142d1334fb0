#pragma once
// One request out of the bytes of a connection: guard, head, content, bounds. The bytes stay where
// they are as long as the request is small (in place); a larger one is taken out of the input as it
// comes (kept).
//
// Pure. The outcome does not depend on how the bytes are split. Thread-safety: none.

#include <coppice/http/chunked_decoder.hpp>
#include <coppice/http/head_guard.hpp>
#include <coppice/http/head_parser.hpp>
#include <coppice/http/options.hpp>
#include <coppice/http/refusal.hpp>
#include <coppice/http/request.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace coppice::http {

class request_parser {
public:
  enum class state {
    head,     ///< within the head, or before it
    body,     ///< the head is read and accepted, the content is not all there
    complete, ///< message() is the request
    refused,  ///< why() says it; where the next request would begin is not known
  };

  /// `bounds` has to outlive the parser.
  explicit request_parser(const options& bounds) noexcept : bounds_{bounds} {}

  /// In place: `input` is everything since the end of the last request. Bytes behind the request
  /// are not looked at.
  state parse(std::string_view input);

  /// From in place to kept: for an incomplete request, of which `input` holds all that has come.
  /// Afterwards the bytes may go.
  void keep(std::string_view input);
  /// Kept: `fresh` is what has come since. Returns how many bytes of it are the request's; they may
  /// go.
  std::size_t take(std::string_view fresh);

  /// Ready for the next request.
  void reset() noexcept;

  [[nodiscard]] state where() const noexcept { return state_; }
  /// Nothing has come, or only empty lines.
  [[nodiscard]] bool untouched() const noexcept { return !kept_ && seen_ <= guard_.request_line(); }
  [[nodiscard]] bool kept() const noexcept { return kept_; }
  /// How large the request is at least, as far as is known.
  [[nodiscard]] std::uint64_t expected_size() const noexcept;
  /// Complete and in place: how many bytes of the input are the request.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// Bytes of the content that have come.
  [[nodiscard]] std::size_t received() const noexcept;
  /// The sender waits for a 100 before it sends the content.
  [[nodiscard]] bool wants_continue() const noexcept {
    return state_ == state::body && framing_.expects_continue && content_seen_ == 0;
  }
  [[nodiscard]] bool keep_alive() const noexcept { return framing_.keep_alive; }

  [[nodiscard]] request& message() noexcept { return request_; }
  [[nodiscard]] const request& message() const noexcept { return request_; }
  [[nodiscard]] refusal why() const noexcept { return why_; }

private:
  state read_head(std::string_view input);
  state read_body(std::string_view content);
  state refuse(refusal why) noexcept { return why_ = why, state_ = state::refused; }

  const options& bounds_;
  state state_ = state::head;
  bool kept_ = false;
  std::size_t seen_ = 0;         ///< bytes of the head that have been looked at
  std::size_t content_seen_ = 0; ///< bytes behind the head that have been looked at
  std::size_t size_ = 0;
  head_guard guard_;
  framing framing_;
  chunked_decoder chunks_;
  request request_;
  refusal why_;
};

} // namespace coppice::http
