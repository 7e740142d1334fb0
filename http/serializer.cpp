#include <charconv>
#include <coppice/http/serializer.hpp>
#include <coppice/http/status.hpp>
#include <coppice/runtime/limits.hpp>

namespace coppice::http {

bool serializer::sends_content(const response& answer, const answer_context& context) noexcept {
  return !context.head_request && !without_content(answer.status());
}

delimiting serializer::delimit(bool has_length, const answer_context& context) noexcept {
  if (has_length) return delimiting::length;
  return context.minor_version > 0 ? delimiting::chunked : delimiting::connection;
}

void serializer::write_head(const response& answer, const answer_context& context, delimiting how,
                            std::uint64_t length) {
  out_.clear();
  if (answer.status_ == 200) {
    out_ += "HTTP/1.1 200 OK\r\n";
  } else {
    out_ += "HTTP/1.1 ";
    put_number(static_cast<unsigned>(answer.status_));
    out_ += ' '; // belongs there even without a phrase (RFC 9112, 4)
    out_ += reason_phrase(answer.status_);
    out_ += "\r\n";
  }
  if (!answer.dated_) out_ += date_.line(context.now);
  if (!answer.type_.empty()) {
    out_ += "Content-Type: ";
    out_ += answer.type_;
    out_ += "\r\n";
  }
  out_ += answer.fields_;
  // No Content-Length in a 204 (RFC 9110, 8.6), and none in a 304, whose content is not at hand; a
  // 205 says 0.
  if (answer.status_ == 205) how = delimiting::length, length = 0;
  if (answer.status_ == 204 || answer.status_ == 304) how = delimiting::none;
  if (how == delimiting::length) {
    out_ += "Content-Length: ";
    put_number(length);
    out_ += "\r\n";
  } else if (how == delimiting::chunked) {
    out_ += "Transfer-Encoding: chunked\r\n";
  }
  if (!context.keep_alive) {
    out_ += "Connection: close\r\n";
  } else if (context.minor_version == 0) {
    out_ += "Connection: keep-alive\r\n";
  }
  out_ += "\r\n";
}

std::string_view serializer::head(const response& answer, const answer_context& context,
                                  delimiting how, std::uint64_t length) {
  write_head(answer, context, how, length);
  return out_;
}

std::span<const std::string_view> serializer::whole(const response& answer,
                                                    const answer_context& context) {
  write_head(answer, context, delimiting::length, answer.body_.size());
  const bool content = sends_content(answer, context) && !answer.body_.empty();
  const bool joined = content && answer.body_.size() <= limits::http_joined;
  if (joined) out_ += answer.body_;
  pieces_[0] = out_;
  pieces_[1] = answer.body_;
  return {pieces_, content && !joined ? 2U : 1U};
}

std::string_view serializer::chunk_line(std::size_t size) {
  out_.clear();
  put_number(size, 16);
  return out_ += "\r\n";
}

void serializer::put_number(std::uint64_t number, int base) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
  out_.append(digits, end);
}

} // namespace coppice::http
