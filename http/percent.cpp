#include <coppice/http/percent.hpp>
#include <cstddef>

namespace coppice::http {
namespace {

int hex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The byte that the escape at `at` stands for; -1: it is none.
int escaped(std::string_view text, std::size_t at) noexcept {
  if (text.size() - at < 3) return -1;
  const int high = hex(text[at + 1]), low = hex(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (const int byte = text[i] == '%' ? escaped(text, i) : -1; byte >= 0) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += plus_is_blank && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

} // namespace

bool well_escaped(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '%' && escaped(text, i) < 0) return false;
  return true;
}

std::string percent_decode(std::string_view text) { return decode(text, false); }
std::string form_decode(std::string_view text) { return decode(text, true); }

std::optional<std::string> form_value(std::string_view form, std::string_view name) {
  while (!form.empty()) {
    const std::size_t end = form.find('&');
    const std::string_view pair = form.substr(0, end);
    const std::size_t equals = pair.find('=');
    const std::string_view key = pair.substr(0, equals);
    const bool encoded = key.find_first_of("%+") != key.npos;
    if (!pair.empty() && (encoded ? form_decode(key) == name : key == name))
      return equals == pair.npos ? std::string{} : form_decode(pair.substr(equals + 1));
    form = end == form.npos ? std::string_view{} : form.substr(end + 1);
  }
  return std::nullopt;
}

} // namespace coppice::http
