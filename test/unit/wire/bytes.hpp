#pragma once
// Bytes for the tables of the wire tests, written by hand or packed with msgpack.

#include <cstddef>
#include <initializer_list>
#include <msgpack.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace wire_test {

using byte_list = std::vector<std::byte>;

inline byte_list hex(std::initializer_list<unsigned> values) {
  byte_list list;
  for (const auto value : values) list.push_back(static_cast<std::byte>(value));
  return list;
}

inline byte_list of(std::string_view text) {
  const auto raw = std::as_bytes(std::span{text});
  return {raw.begin(), raw.end()};
}

inline byte_list operator+(byte_list left, const byte_list& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline byte_list times(std::size_t count, const byte_list& what) {
  byte_list all;
  for (std::size_t i = 0; i < count; ++i) all.insert(all.end(), what.begin(), what.end());
  return all;
}

/// What `fill(packer)` packs.
template <class Fill>
byte_list packed(Fill fill) {
  msgpack::sbuffer out;
  msgpack::packer<msgpack::sbuffer> packer{out};
  fill(packer);
  return of({out.data(), out.size()});
}

} // namespace wire_test
