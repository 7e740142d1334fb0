#pragma once
// What an exception says: its text for the primary's log, and its errno.

#include <asio/error.hpp>
#include <exception>
#include <string>
#include <system_error>

namespace coppice {

[[nodiscard]] inline std::string text_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

/// The code of a std::system_error; empty for anything else.
[[nodiscard]] inline std::error_code code_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::system_error& e) {
    return e.code();
  } catch (...) {
    return {};
  }
}

/// Whether `code` is `number`, an errno. Not `code == std::errc{number}`: in asio 1.22 the category
/// of its own errors maps to no std::errc.
[[nodiscard]] inline bool is_errno(const std::error_code& code, int number) {
  return code.value() == number &&
         (code.category() == asio::error::get_system_category() ||
          code.category() == std::system_category() || code.category() == std::generic_category());
}

} // namespace coppice
