#include <coppice/runtime/spawn/find_program.hpp>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace coppice {
namespace {

std::string_view path_in(const std::vector<std::string>& environment) {
  constexpr std::string_view name = "PATH=";
  for (const std::string& entry : environment)
    if (entry.starts_with(name)) return std::string_view{entry}.substr(name.size());
  return "/usr/local/bin:/usr/bin:/bin";
}

bool is_file(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

} // namespace

result<std::string> find_program(const std::string& name,
                                 const std::vector<std::string>& environment) {
  if (name.find('/') != name.npos) return name;
  int why = ENOENT;
  std::string_view rest = path_in(environment);
  while (!name.empty() && !rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    const std::string path = std::string{rest.substr(0, end)} + '/' + name;
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!path.starts_with('/') || !is_file(path)) continue; // a relative PATH means somewhere else
    if (::access(path.c_str(), X_OK) == 0) return path;
    why = EACCES;
  }
  return system_failure("start", name, why);
}

} // namespace coppice
