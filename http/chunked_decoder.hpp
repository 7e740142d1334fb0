#pragma once
// Undoes the chunked transfer coding (RFC 9112, 7.1), strictly: every line ends in CRLF, sizes are
// hexadecimal digits and nothing else, extensions and trailers hold no control characters.
// Extensions and trailers are read past.
//
// Pure, incremental: the result does not depend on how the bytes are split. Thread-safety: none.

#include <coppice/http/options.hpp>
#include <coppice/http/refusal.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace coppice::http {

class chunked_decoder {
public:
  /// Takes bytes from the front of `input` until the content ends, a fault is found or all are
  /// taken; content is appended to `content`. Returns how many were taken.
  std::size_t decode(std::string_view input, std::string& content, const options& bounds);

  [[nodiscard]] bool complete() const noexcept { return at_ == place::end; }
  [[nodiscard]] refusal why() const noexcept { return why_; }

private:
  /// Where in the grammar the next byte is.
  enum class place : std::uint8_t {
    size,         ///< before the first digit of a chunk's size
    more_size,    ///< behind it
    extension,    ///< between the size and the end of its line
    size_end,     ///< at the LF of that line
    data,         ///< `left_` bytes of content are to come
    data_cr,      ///< at the CR behind the content
    data_lf,      ///< at its LF
    trailer,      ///< at the beginning of a trailer line
    trailer_name, ///< within a field's name
    trailer_text, ///< within its value
    trailer_end,  ///< at the LF of a trailer line
    last_lf,      ///< at the LF of the last, empty line
    end,          ///< the content is complete
  };

  void step(char c, const std::string& content, const options& bounds);
  void count_line(std::size_t bound, refusal otherwise);
  void refuse(refusal why) noexcept { why_ = why; }

  place at_ = place::size;
  std::uint64_t left_ = 0;   ///< of the chunk's size, or of its content
  std::size_t line_ = 0;     ///< bytes of the line so far
  std::size_t trailers_ = 0; ///< bytes of all trailers so far
  std::size_t fields_ = 0;   ///< trailers so far
  refusal why_;
};

} // namespace coppice::http
