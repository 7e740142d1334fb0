#pragma once
// One HTTP response as a handler makes it: status, fields, content. What belongs to the connection
// (Content-Length, Transfer-Encoding, Date, Connection) is added when it is written, so it can't be
// set wrongly here.
//
// A value. Thread-safety: none.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace coppice::http {

/// Makes content piece by piece: appends the next piece to `out` and returns whether more follows.
/// It is called when the connection has room, so a slow client holds one piece in memory, not the
/// whole. A call that appends nothing and returns true is an error: what is not there yet is
/// written through responder::stream().
using body_source = std::function<bool(std::string& out)>;

class response {
public:
  response() = default;
  /// Throws std::invalid_argument if `status` is not within 200..599.
  explicit response(int status) { this->status(status); }

  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const std::string& body() const noexcept { return body_; }

  /// Throws std::invalid_argument if `code` is not within 200..599: 1xx are not a handler's to
  /// send.
  response& status(int code) &;
  response&& status(int code) && { return std::move(status(code)); }

  /// Adds a field. Throws std::invalid_argument if the name is not a token or the value holds a
  /// control character other than a tab (a line end here would let its author write the next
  /// response), and for the fields that the connection adds itself: Content-Length,
  /// Transfer-Encoding, Connection, Keep-Alive, Upgrade. A Date replaces ours; a Content-Type
  /// replaces the one of text() and its like.
  response& header(std::string_view name, std::string_view value) &;
  response&& header(std::string_view name, std::string_view value) && {
    return std::move(header(name, value));
  }

  /// The whole content. Its length is sent as Content-Length.
  response& body(std::string content) &;
  response&& body(std::string content) && { return std::move(body(std::move(content))); }

  /// Content made piece by piece: `length` bytes of it, or chunked if no length is given (to an
  /// HTTP/1.0 client: up to the end of the connection). Making less or more than `length` breaks
  /// the connection: the client can tell then.
  response& body(body_source source, std::optional<std::uint64_t> length = {}) &;
  response&& body(body_source source, std::optional<std::uint64_t> length = {}) && {
    return std::move(body(std::move(source), length));
  }

  /// Closes the connection once this is sent.
  response& close() & { return close_ = true, *this; }
  response&& close() && { return std::move(close()); }

private:
  friend class serializer;
  friend class session;
  friend response typed(int status, std::string_view type, std::string body);

  int status_ = 200;
  bool close_ = false;
  bool dated_ = false;    ///< `fields_` has a Date
  std::string_view type_; ///< Content-Type, of static lifetime; empty: none or in `fields_`
  std::string fields_;    ///< "Name: value\r\n" each
  std::string body_;
  body_source source_;
  std::optional<std::uint64_t> length_; ///< of what `source_` makes
};

/// text/plain in UTF-8.
[[nodiscard]] response text(std::string body, int status = 200);
/// text/html in UTF-8.
[[nodiscard]] response html(std::string body, int status = 200);
/// application/json: `body` is JSON already.
[[nodiscard]] response json_text(std::string body, int status = 200);
/// application/octet-stream.
[[nodiscard]] response bytes(std::string body, int status = 200);
/// A bare status with a line of text that says it: "404 Not Found\n". 204, 205 and 304 have no
/// content.
[[nodiscard]] response status(int code);
/// A redirection: 301, 302, 303, 307 or 308 to `location`. Throws as header() does.
[[nodiscard]] response redirect(std::string_view location, int status = 302);

} // namespace coppice::http
