#include <coppice/runtime/spawn/boot_letter.hpp>

#include <charconv>
#include <limits>

namespace coppice::boot {
namespace {

/// The number up to the next space, which is taken off `text` with it.
bool take_number(std::string_view& text, std::uint64_t& number) {
  const auto end = text.find(' ');
  if (end == std::string_view::npos) return false;
  const auto value = read_number(text.substr(0, end), "");
  text.remove_prefix(end + 1);
  if (value) number = *value;
  return value.has_value();
}

} // namespace

result<std::uint64_t> read_number(std::string_view text, const char* what) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size())
    return failure_because("read", what, "'" + std::string{text} + "' is not a number");
  return number;
}

std::string write_letter(const worker_letter& letter) {
  return std::to_string(letter.worker_id) + ' ' + std::to_string(letter.incarnation) + ' ' +
         std::to_string(letter.primary) + ' ' + std::to_string(letter.group.size()) + ' ' +
         letter.group + letter.name;
}

result<worker_letter> read_letter(std::string_view text) {
  const std::string_view whole = text;
  worker_letter letter;
  std::uint64_t primary_pid = 0;
  std::uint64_t group_size = 0;
  if (!take_number(text, letter.worker_id) || !take_number(text, letter.incarnation) ||
      !take_number(text, primary_pid) || !take_number(text, group_size) ||
      primary_pid > static_cast<std::uint64_t>(std::numeric_limits<pid_t>::max()) ||
      group_size > text.size())
    return failure_because("read", worker, "'" + std::string{whole} + "' is not a worker's letter");
  letter.primary = static_cast<pid_t>(primary_pid);
  letter.group = text.substr(0, group_size);
  letter.name = text.substr(group_size);
  return letter;
}

} // namespace coppice::boot
