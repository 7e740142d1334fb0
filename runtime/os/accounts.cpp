#include <coppice/runtime/os/accounts.hpp>

#include <coppice/runtime/limits.hpp>

#include <charconv>
#include <cstdint>
#include <grp.h>
#include <optional>
#include <pwd.h>
#include <vector>

namespace coppice::os {
namespace {

/// -1 means "as it is" to chown(2) and its kin, so it is nobody's number.
std::optional<std::uint32_t> number_in(const std::string& text) {
  std::uint32_t number = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, bad] = std::from_chars(text.data(), end, number);
  if (bad != std::errc{} || stop != end || number == UINT32_MAX) return std::nullopt;
  return number;
}

} // namespace

result<uid_t> user_id(const std::string& name) {
  if (const auto number = number_in(name)) return *number;
  std::vector<char> text(limits::account_text);
  passwd account{};
  passwd* found = nullptr;
  if (const int failed = ::getpwnam_r(name.c_str(), &account, text.data(), text.size(), &found))
    return system_failure("look up", "user " + name, failed);
  if (found == nullptr) return failure_because("look up", "user " + name, "there is no such user");
  return account.pw_uid;
}

result<gid_t> group_id(const std::string& name) {
  if (const auto number = number_in(name)) return *number;
  std::vector<char> text(limits::account_text);
  struct group account {};
  struct group* found = nullptr;
  if (const int failed = ::getgrnam_r(name.c_str(), &account, text.data(), text.size(), &found))
    return system_failure("look up", "group " + name, failed);
  if (found == nullptr)
    return failure_because("look up", "group " + name, "there is no such group");
  return account.gr_gid;
}

} // namespace coppice::os
