#pragma once
// How the instruments and peers end when a system call fails: at once, with its name and reason.

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace bench {

/// Returns `value`, or throws if it is negative, as system calls say that they failed.
template <class T>
T check(T value, const char* what) {
  if (value < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  return value;
}

} // namespace bench
