#pragma once
// Writes the heads of responses, and frames their content. What the connection adds to a response
// is decided here: length or chunked, Date, Connection, and what has no content at all. Pure but
// for the clock, which is an argument.
//
// Thread-safety: none. A worker has one; it keeps the memory of the heads it has written.

#include <coppice/http/date_cache.hpp>
#include <coppice/http/response.hpp>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <string_view>

namespace coppice::http {

/// What an answer has to know of its request and its connection.
struct answer_context {
  unsigned minor_version = 1;
  bool head_request = false; ///< HEAD: the head goes out alone
  bool keep_alive = true;    ///< the connection is used again afterwards
  std::time_t now = 0;
};

/// How an answer's content is delimited.
enum class delimiting {
  none,       ///< there is none, and no field speaks of it
  length,     ///< by Content-Length
  chunked,    ///< by chunks
  connection, ///< by the end of the connection (to HTTP/1.0)
};

class serializer {
public:
  /// Whether content follows the head on the wire.
  [[nodiscard]] static bool sends_content(const response& answer,
                                          const answer_context& context) noexcept;

  /// How content that is written piece by piece is delimited.
  [[nodiscard]] static delimiting delimit(bool has_length, const answer_context& context) noexcept;

  /// The head alone. Valid until the next call of this serializer.
  [[nodiscard]] std::string_view head(const response& answer, const answer_context& context,
                                      delimiting how, std::uint64_t length);

  /// An answer whose content is response::body(), in one or two pieces: small content is copied
  /// behind the head. Valid until the next call, and as long as `answer`.
  [[nodiscard]] std::span<const std::string_view> whole(const response& answer,
                                                        const answer_context& context);

  /// The line in front of a chunk of `size` bytes; its end is "\r\n". Valid until the next call.
  [[nodiscard]] std::string_view chunk_line(std::size_t size);
  static constexpr std::string_view chunk_end = "\r\n";
  static constexpr std::string_view last_chunk = "0\r\n\r\n";
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

private:
  void write_head(const response& answer, const answer_context& context, delimiting how,
                  std::uint64_t length);
  void put_number(std::uint64_t number, int base = 10);

  date_cache date_;
  std::string out_;
  std::string_view pieces_[2];
};

} // namespace coppice::http
