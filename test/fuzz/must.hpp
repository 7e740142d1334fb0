#pragma once
// What a fuzz target checks beyond not crashing. It holds without NDEBUG and with it.

#include <cstdio>
#include <cstdlib>

inline void must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}
