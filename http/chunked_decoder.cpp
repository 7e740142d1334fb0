#include <algorithm>
#include <coppice/http/ascii.hpp>
#include <coppice/http/chunked_decoder.hpp>

namespace coppice::http {
namespace {

int hex(char c) noexcept {
  if (ascii::digit(c)) return c - '0';
  const char low = ascii::lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

} // namespace

std::size_t chunked_decoder::decode(std::string_view input, std::string& content,
                                    const options& bounds) {
  std::size_t taken = 0;
  while (taken < input.size() && at_ != place::end && !why_) {
    if (at_ == place::data) {
      const auto piece =
          static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - taken));
      content.append(input, taken, piece);
      taken += piece;
      left_ -= piece;
      if (left_ == 0) at_ = place::data_cr;
    } else {
      step(input[taken++], content, bounds);
    }
  }
  return taken;
}

void chunked_decoder::step(char c, const std::string& content, const options& bounds) {
  static constexpr refusal bad_size{400, "a chunk's size is not a hexadecimal number"};
  static constexpr refusal bad_end{400, "a chunk does not end in CRLF"};
  static constexpr refusal bad_line{400, "a line does not end in CRLF"};
  switch (at_) {
  case place::size:
    left_ = 0;
    line_ = 0;
    if (hex(c) < 0) return refuse(bad_size);
    at_ = place::more_size;
    [[fallthrough]];
  case place::more_size:
    count_line(limits::http_chunk_line, {400, "a chunk's line is too long"});
    if (const int digit = hex(c); digit >= 0) {
      left_ = left_ * 16 + static_cast<unsigned>(digit);
      // Bounded here, so that no number of digits overflows.
      if (left_ > bounds.max_body || content.size() > bounds.max_body - left_)
        refuse({413, "the content is too large"});
    } else if (c == ';') {
      at_ = place::extension;
    } else if (c == '\r') {
      at_ = place::size_end;
    } else {
      refuse(bad_size);
    }
    return;
  case place::extension:
    count_line(limits::http_chunk_line, {400, "a chunk's line is too long"});
    if (c == '\r') {
      at_ = place::size_end;
    } else if (!ascii::field_value({&c, 1})) {
      refuse({400, "a control character in a chunk's extension"});
    }
    return;
  case place::size_end:
    if (c != '\n') return refuse(bad_line);
    at_ = left_ > 0 ? place::data : place::trailer;
    return;
  case place::data_cr:
    if (c != '\r') return refuse(bad_end);
    at_ = place::data_lf;
    return;
  case place::data_lf:
    if (c != '\n') return refuse(bad_end);
    at_ = place::size;
    return;
  case place::trailer:
    line_ = 0;
    if (c == '\r') {
      at_ = place::last_lf;
      return;
    }
    if (++fields_ > bounds.max_headers) return refuse({431, "too many trailers"});
    if (!ascii::token({&c, 1})) return refuse({400, "the name of a trailer is not a token"});
    at_ = place::trailer_name;
    [[fallthrough]];
  case place::trailer_name:
  case place::trailer_text:
    count_line(bounds.max_line, {431, "a trailer is too long"});
    if (++trailers_ > bounds.max_head) refuse({431, "the trailers are too long"});
    if (at_ == place::trailer_name) {
      if (c == ':') {
        at_ = place::trailer_text;
      } else if (!ascii::token({&c, 1})) {
        refuse({400, "the name of a trailer is not a token"});
      }
    } else if (c == '\r') {
      at_ = place::trailer_end;
    } else if (!ascii::field_value({&c, 1})) {
      refuse({400, "a control character in a trailer"});
    }
    return;
  case place::trailer_end:
    if (c != '\n') return refuse(bad_line);
    at_ = place::trailer;
    return;
  case place::last_lf:
    if (c != '\n') return refuse(bad_line);
    at_ = place::end;
    return;
  case place::data:
  case place::end:
    return; // decode() does not come here
  }
}

void chunked_decoder::count_line(std::size_t bound, refusal otherwise) {
  if (++line_ > bound) refuse(otherwise);
}

} // namespace coppice::http
