#include <coppice/runtime/error.hpp>

namespace coppice {

std::string error::message() const {
  std::string text = verb;
  if (!object.empty()) text += " " + object;
  if (!reason.empty()) text += ": " + reason;
  if (code) text += ": " + code.message();
  return text;
}

failure system_failure(std::string verb, std::string object, int code) {
  return failure{
      error{std::move(verb), std::move(object), std::error_code{code, std::system_category()}, {}}};
}

failure failure_because(std::string verb, std::string object, std::string reason) {
  return failure{error{std::move(verb), std::move(object), {}, std::move(reason)}};
}

} // namespace coppice
