#include <coppice/runtime/wire/cursor.hpp>

#include <coppice/runtime/limits.hpp>

#include <array>

namespace coppice::wire {
namespace {

enum class kind { positive, text, array, map, other };

// One value's first bytes: what it is, how long they are, and what follows.
struct header {
  kind what = kind::other;
  std::size_t size = 1;       // bytes of the header
  std::size_t body = 0;       // bytes after it that hold no values
  std::uint64_t children = 0; // values after it that belong to it
  std::uint64_t value = 0;    // of a positive number
};

std::uint64_t big_endian(std::span<const std::byte> bytes) noexcept {
  std::uint64_t value = 0;
  for (auto byte : bytes) value = value << 8U | std::to_integer<std::uint64_t>(byte);
  return value;
}

// The header at the start of `bytes`, if it is whole and its body is there too. The format byte's
// meanings are those of the msgpack specification, "Formats".
std::optional<header> read_header(std::span<const std::byte> bytes) noexcept {
  if (bytes.empty()) return std::nullopt;
  const auto first = std::to_integer<unsigned>(bytes[0]);
  header h;
  std::size_t width = 0; // of the length or number after the format byte
  std::size_t extra = 0; // an ext's type byte
  enum { nothing, is_number, is_body, is_children, is_pairs } field = nothing;

  if (first <= 0x7f) {
    h.what = kind::positive;
    h.value = first;
  } else if (first <= 0x8f) {
    h.what = kind::map;
    h.children = 2 * (first & 0x0fU);
  } else if (first <= 0x9f) {
    h.what = kind::array;
    h.children = first & 0x0fU;
  } else if (first <= 0xbf) {
    h.what = kind::text;
    h.body = first & 0x1fU;
  } else if (first < 0xe0) {
    switch (first) {
    case 0xc1: // never used
      return std::nullopt;
    case 0xc4: // bin
    case 0xc5:
    case 0xc6:
      field = is_body;
      width = std::size_t{1} << (first - 0xc4);
      break;
    case 0xc7: // ext
    case 0xc8:
    case 0xc9:
      field = is_body;
      width = std::size_t{1} << (first - 0xc7);
      extra = 1;
      break;
    case 0xca: // float
      h.body = 4;
      break;
    case 0xcb: // double
      h.body = 8;
      break;
    case 0xcc: // uint
    case 0xcd:
    case 0xce:
    case 0xcf:
      h.what = kind::positive;
      field = is_number;
      width = std::size_t{1} << (first - 0xcc);
      break;
    case 0xd0: // int
    case 0xd1:
    case 0xd2:
    case 0xd3:
      h.body = std::size_t{1} << (first - 0xd0);
      break;
    case 0xd4: // fixext
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
      h.body = 1 + (std::size_t{1} << (first - 0xd4));
      break;
    case 0xd9: // str
    case 0xda:
    case 0xdb:
      h.what = kind::text;
      field = is_body;
      width = std::size_t{1} << (first - 0xd9);
      break;
    case 0xdc: // array
    case 0xdd:
      h.what = kind::array;
      field = is_children;
      width = std::size_t{2} << (first - 0xdc);
      break;
    case 0xde: // map
    case 0xdf:
      h.what = kind::map;
      field = is_pairs;
      width = std::size_t{2} << (first - 0xde);
      break;
    default: // nil, false, true
      break;
    }
  } // from 0xe0 on: a small negative number

  if (bytes.size() < 1 + width) return std::nullopt;
  const auto argument = big_endian(bytes.subspan(1, width));
  switch (field) {
  case nothing:
    break;
  case is_number:
    h.value = argument;
    break;
  case is_body:
    h.body = argument + extra;
    break;
  case is_children:
    h.children = argument;
    break;
  case is_pairs:
    h.children = 2 * argument;
    break;
  }
  h.size = 1 + width;
  const auto after = bytes.size() - h.size;
  // A value is at least one byte long, so a claim of more children than bytes is a lie already.
  if (h.body > after || h.children > after) return std::nullopt;
  return h;
}

// How many bytes the value at the start of `bytes` has, with everything in it.
std::optional<std::size_t> extent(std::span<const std::byte> bytes) noexcept {
  std::array<std::uint64_t, limits::msgpack_depth> open; // values still to come, per open container
  std::size_t depth = 0;
  std::size_t at = 0;
  do {
    const auto h = read_header(bytes.subspan(at));
    if (!h) return std::nullopt;
    at += h->size + h->body;
    if (depth > 0) --open[depth - 1];
    if (h->what == kind::array || h->what == kind::map) {
      if (depth == open.size()) return std::nullopt;
      open[depth++] = h->children;
    }
    while (depth > 0 && open[depth - 1] == 0) --depth;
  } while (depth > 0);
  return at;
}

} // namespace

std::optional<std::size_t> cursor::array() noexcept {
  const auto h = read_header(left_);
  if (!h || h->what != kind::array) return std::nullopt;
  left_ = left_.subspan(h->size);
  return h->children;
}

std::optional<std::size_t> cursor::pairs() noexcept {
  const auto h = read_header(left_);
  if (!h || h->what != kind::map) return std::nullopt;
  left_ = left_.subspan(h->size);
  return h->children / 2;
}

std::optional<std::uint64_t> cursor::number() noexcept {
  const auto h = read_header(left_);
  if (!h || h->what != kind::positive) return std::nullopt;
  left_ = left_.subspan(h->size);
  return h->value;
}

std::optional<std::string_view> cursor::text() noexcept {
  const auto h = read_header(left_);
  if (!h || h->what != kind::text) return std::nullopt;
  const auto body = left_.subspan(h->size, h->body);
  left_ = left_.subspan(h->size + h->body);
  return std::string_view{reinterpret_cast<const char*>(body.data()), body.size()};
}

std::optional<std::span<const std::byte>> cursor::value() noexcept {
  const auto size = extent(left_);
  if (!size) return std::nullopt;
  const auto bytes = left_.first(*size);
  left_ = left_.subspan(*size);
  return bytes;
}

std::optional<std::span<const std::byte>> cursor::map() noexcept {
  const auto h = read_header(left_);
  if (!h || h->what != kind::map) return std::nullopt;
  return value();
}

} // namespace coppice::wire
