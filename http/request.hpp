#pragma once
// One HTTP request, read whole: what a handler is given. It is the message as it was sent, with
// views into it; what the protocol itself needs of it (framing, keep-alive) has been dealt with
// before.
//
// Lifetime: a handler that is called with `const request&` must not keep the request or views of it
// beyond the call: they point into the connection's input. A handler that takes a `request` by
// value owns it with all its bytes, and views of it are valid as long as it lives. Copies own their
// bytes. Thread-safety: none; const use is safe.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coppice::http {

/// One header field: the name as it was sent, the value without the blanks around it.
struct header_field {
  std::string_view name, value;
};

class request {
public:
  request() = default;
  request(const request& other);
  request& operator=(const request& other);
  request(request&&) noexcept = default;
  request& operator=(request&&) noexcept = default;
  ~request() = default;

  /// "GET". Only methods that the parser knows arrive here: others are answered 501, CONNECT too.
  [[nodiscard]] std::string_view method() const noexcept { return view(method_); }

  /// The request target as it was sent: "/n/123?us=50", "http://host/n/123?us=50", "*".
  [[nodiscard]] std::string_view target() const noexcept { return view(target_); }

  /// The target's path, percent-decoded: "/n/123". A target that ends after its host has "/"; "*"
  /// is "*". As %2F becomes a slash here, split raw_path() where that matters.
  [[nodiscard]] std::string_view path() const noexcept {
    return decoded_path_.empty() ? view(path_) : std::string_view{decoded_path_};
  }
  /// The target's path as it was sent.
  [[nodiscard]] std::string_view raw_path() const noexcept { return view(path_); }

  /// What follows the question mark, as it was sent; empty without one.
  [[nodiscard]] std::string_view query() const noexcept { return view(query_); }
  /// The first parameter of the query called `name` (after decoding; '+' is a blank), decoded. A
  /// parameter without
  /// '=' is empty; nullopt: there is none.
  [[nodiscard]] std::optional<std::string> query(std::string_view name) const;
  /// The same, read as a decimal number without sign; nullopt also if it is not one or exceeds 64
  /// bits.
  [[nodiscard]] std::optional<std::uint64_t> query_number(std::string_view name) const;

  /// 0 or 1: HTTP/1.0 or HTTP/1.1.
  [[nodiscard]] unsigned minor_version() const noexcept { return minor_; }

  /// The value of the first field called `name` (in any case); nullopt: there is none.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept;

  class header_range;
  /// All fields in the order sent: `for (const header_field& field : request.headers())`.
  [[nodiscard]] header_range headers() const noexcept;

  /// The host and port that were asked for: of the target if it names them, else of the field Host.
  [[nodiscard]] std::string_view host() const noexcept { return view(host_); }

  /// The whole content, after chunked coding is undone. Empty if there is none.
  [[nodiscard]] std::string_view body() const noexcept {
    return body_apart_ ? std::string_view{body_} : view(body_here_);
  }

  /// Which try this is at answering: 1, or more if a worker died over this request and it is run
  /// again here.
  [[nodiscard]] unsigned attempt() const noexcept { return attempt_; }

  /// Whether the method is idempotent by RFC 9110, 9.2.2: running it twice does what running it
  /// once does.
  [[nodiscard]] bool idempotent() const noexcept;

private:
  friend class request_parser;
  friend class head_parser;
  friend class session;

  /// A part of the message, by place: the message may move while it is still being received.
  struct part {
    std::uint32_t at = 0, size = 0;
  };
  struct field {
    part name, value;
  };

  [[nodiscard]] const char* base() const noexcept { return borrowed_ ? borrowed_ : own_.data(); }
  [[nodiscard]] std::string_view view(part p) const noexcept { return {base() + p.at, p.size}; }
  /// Takes a copy of the `size` bytes of the message, which is borrowed until now.
  void own(std::size_t size);
  void clear() noexcept;

  const char* borrowed_ = nullptr; ///< the message, in the connection's input; null: `own_` has it
  std::string own_;
  std::size_t size_ = 0; ///< bytes of the message that the parts point into
  part method_, target_, path_, query_, host_, body_here_;
  std::vector<field> fields_;
  std::string decoded_path_; ///< only if it differs from the path as sent
  std::string body_;         ///< the content, if it does not lie in one piece in the message
  bool body_apart_ = false;
  std::uint8_t minor_ = 1;
  unsigned attempt_ = 1;
};

/// The fields of a request, in the order sent. A view of the request.
class request::header_range {
public:
  class iterator {
  public:
    using value_type = header_field;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    iterator(const request& owner, std::size_t index) noexcept : owner_{&owner}, index_{index} {}
    header_field operator*() const noexcept {
      const field& f = owner_->fields_[index_];
      return {owner_->view(f.name), owner_->view(f.value)};
    }
    iterator& operator++() noexcept { return ++index_, *this; }
    iterator operator++(int) noexcept { return {*owner_, index_++}; }
    bool operator==(const iterator&) const = default;

  private:
    const request* owner_ = nullptr;
    std::size_t index_ = 0;
  };

  explicit header_range(const request& owner) noexcept : owner_{owner} {}
  [[nodiscard]] iterator begin() const noexcept { return {owner_, 0}; }
  [[nodiscard]] iterator end() const noexcept { return {owner_, owner_.fields_.size()}; }
  [[nodiscard]] std::size_t size() const noexcept { return owner_.fields_.size(); }

private:
  const request& owner_;
};

inline request::header_range request::headers() const noexcept { return header_range{*this}; }

} // namespace coppice::http
