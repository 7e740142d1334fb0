#pragma once
// Looking into texts, the same for every version of Catch2.

#include <string_view>

namespace coppice::test {

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

} // namespace coppice::test
