#include <algorithm>
#include <coppice/http/request_parser.hpp>

namespace coppice::http {

request_parser::state request_parser::parse(std::string_view input) {
  if (state_ == state::head && read_head(input) != state::body) return state_;
  if (state_ != state::body) return state_;
  request_.borrowed_ = input.data(); // it may have moved since the head was read
  return read_body(input.substr(guard_.size()));
}

void request_parser::keep(std::string_view input) {
  const std::size_t head = state_ == state::body ? guard_.size() : input.size();
  request_.own_.assign(input.substr(0, head));
  request_.size_ = head;
  request_.borrowed_ = nullptr;
  request_.body_apart_ = true;
  if (state_ == state::body && !framing_.chunked) {
    request_.body_.reserve(static_cast<std::size_t>(framing_.length));
    request_.body_.assign(input.substr(head));
  }
  kept_ = true;
}

std::size_t request_parser::take(std::string_view fresh) {
  std::size_t taken = 0;
  if (state_ == state::head) {
    std::string& head = request_.own_;
    const std::size_t before = head.size();
    head.append(fresh);
    if (read_head(head) != state::body) return fresh.size();
    taken = guard_.size() - before;
    head.resize(guard_.size());
    request_.borrowed_ = nullptr;
    request_.size_ = head.size();
  }
  if (state_ != state::body) return taken;
  fresh.remove_prefix(taken);
  if (framing_.chunked) {
    const std::size_t seen = content_seen_;
    read_body(fresh);
    return taken + content_seen_ - seen;
  }
  std::string& body = request_.body_;
  const std::size_t piece =
      std::min(static_cast<std::size_t>(framing_.length) - body.size(), fresh.size());
  body.append(fresh.substr(0, piece));
  content_seen_ = body.size();
  if (body.size() == framing_.length) state_ = state::complete;
  return taken + piece;
}

void request_parser::reset() noexcept {
  state_ = state::head;
  kept_ = false;
  seen_ = content_seen_ = size_ = 0;
  guard_ = {};
  framing_ = {};
  chunks_ = {};
  request_.clear();
  why_ = {};
}

std::uint64_t request_parser::expected_size() const noexcept {
  return state_ == state::body ? guard_.size() + framing_.length : seen_;
}

std::size_t request_parser::received() const noexcept { return content_seen_; }

request_parser::state request_parser::read_head(std::string_view input) {
  const auto verdict = guard_.scan(input, bounds_);
  seen_ = verdict == head_guard::verdict::complete ? guard_.size() : input.size();
  if (verdict == head_guard::verdict::incomplete) return state_;
  if (verdict == head_guard::verdict::refused) return refuse(guard_.why());
  if (const refusal why = head_parser::parse(input, guard_.size(), guard_.request_line(),
                                             guard_.fields(), bounds_, request_, framing_))
    return refuse(why);
  return state_ = state::body;
}

request_parser::state request_parser::read_body(std::string_view content) {
  if (framing_.chunked) {
    if (!kept_) content.remove_prefix(content_seen_);
    request_.body_apart_ = true;
    content_seen_ += chunks_.decode(content, request_.body_, bounds_);
    if (chunks_.why()) return refuse(chunks_.why());
    if (!chunks_.complete()) return state_;
    size_ = guard_.size() + content_seen_;
    return state_ = state::complete;
  }
  content_seen_ =
      static_cast<std::size_t>(std::min<std::uint64_t>(content.size(), framing_.length));
  if (content_seen_ < framing_.length) return state_;
  size_ = guard_.size() + content_seen_;
  request_.body_here_ = {static_cast<std::uint32_t>(guard_.size()),
                         static_cast<std::uint32_t>(framing_.length)};
  request_.size_ = size_;
  return state_ = state::complete;
}

} // namespace coppice::http
