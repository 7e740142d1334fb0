#include <algorithm>
#include <array>
#include <charconv>
#include <coppice/http/ascii.hpp>
#include <coppice/http/percent.hpp>
#include <coppice/http/request.hpp>
#include <coppice/runtime/limits.hpp>

namespace coppice::http {

request::request(const request& other)
    : own_{other.base(), other.size_},
      size_{other.size_},
      method_{other.method_},
      target_{other.target_},
      path_{other.path_},
      query_{other.query_},
      host_{other.host_},
      body_here_{other.body_here_},
      fields_{other.fields_},
      decoded_path_{other.decoded_path_},
      body_{other.body_},
      body_apart_{other.body_apart_},
      minor_{other.minor_},
      attempt_{other.attempt_} {}

request& request::operator=(const request& other) {
  if (this != &other) *this = request{other};
  return *this;
}

std::optional<std::string> request::query(std::string_view name) const {
  return form_value(query(), name);
}

std::optional<std::uint64_t> request::query_number(std::string_view name) const {
  const auto text = query(name);
  if (!text || text->empty() || !ascii::digit(text->front())) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = text->data() + text->size();
  const auto [last, code] = std::from_chars(text->data(), end, number);
  if (code != std::errc{} || last != end) return std::nullopt;
  return number;
}

std::optional<std::string_view> request::header(std::string_view name) const noexcept {
  for (const field& f : fields_) {
    if (f.name.size != name.size()) continue;
    const std::string_view own = view(f.name);
    if (std::equal(own.begin(), own.end(), name.begin(),
                   [](char a, char b) { return ascii::lower(a) == ascii::lower(b); }))
      return view(f.value);
  }
  return std::nullopt;
}

bool request::idempotent() const noexcept {
  static constexpr std::array<std::string_view, 6> methods{"GET",    "HEAD",    "PUT",
                                                           "DELETE", "OPTIONS", "TRACE"};
  return std::find(methods.begin(), methods.end(), method()) != methods.end();
}

void request::own(std::size_t size) {
  if (!borrowed_) return;
  own_.assign(borrowed_, size);
  size_ = size;
  borrowed_ = nullptr;
}

void request::clear() noexcept {
  // An idle connection shall not hold the memory of its largest request.
  const auto forget = [](std::string& bytes) {
    bytes.clear();
    if (bytes.capacity() > limits::http_joined) std::string{}.swap(bytes);
  };
  borrowed_ = nullptr;
  forget(own_);
  size_ = 0;
  method_ = target_ = path_ = query_ = host_ = body_here_ = {};
  fields_.clear();
  forget(decoded_path_);
  forget(body_);
  body_apart_ = false;
  minor_ = 1;
  attempt_ = 1;
}

} // namespace coppice::http
