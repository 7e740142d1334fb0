#include <coppice/runtime/os/state_directory.hpp>

#include <coppice/runtime/os/environment.hpp>
#include <coppice/runtime/os/lock_file.hpp>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace coppice::os {
namespace {

constexpr auto where_else = "set --state-dir, COPPICE_STATE_DIR or XDG_RUNTIME_DIR";

result<std::string> choose(std::string explicit_path, const std::string& name) {
  // Taken in any case: it is for this process, not for what it starts.
  auto from_environment = take_environment("COPPICE_STATE_DIR");
  if (!explicit_path.empty()) return explicit_path;
  if (from_environment && !from_environment->empty()) return *std::move(from_environment);
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    return failure_because("name state directory", name, "not the name of a directory");
  // A relative one must be ignored (XDG Base Directory Specification).
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string base = runtime != nullptr && runtime[0] == '/' ? runtime : "/run";
  return base + "/coppice/" + name;
}

result<void> make_with_parents(const std::string& path) {
  for (std::size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at + 1);
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0700) == 0 || errno == EEXIST) continue;
    // A parent that exists on a read-only file system, or where we may not make anything.
    const int code = errno;
    if (struct stat found{}; ::stat(part.c_str(), &found) == 0) continue;
    return tl::make_unexpected(error{"make state directory", path,
                                     std::error_code{code, std::system_category()}, where_else});
  }
  return {};
}

/// Ours alone: whoever can write here can put a socket or a lock of their own in our place.
result<void> check_owner(int directory, const std::string& path) {
  struct stat found {};
  if (::fstat(directory, &found) != 0) return system_failure("look at state directory", path);
  if (found.st_uid != ::geteuid())
    return failure_because("use state directory", path,
                           "it belongs to uid " + std::to_string(found.st_uid));
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return failure_because("use state directory", path, "others can write to it");
  return {};
}

result<unique_fd> take_lock(int directory, const std::string& path) {
  auto attempt = try_lock(directory, "lock", path + "/lock"); // never removed
  if (!attempt) return tl::make_unexpected(std::move(attempt.error()));
  if (!attempt->lock)
    return failure_because("lock state directory", path, attempt->holder + " is using it");
  return std::move(attempt->lock);
}

} // namespace

result<state_directory> state_directory::open(std::string explicit_path, std::string program_name) {
  auto chosen = choose(std::move(explicit_path), program_name);
  if (!chosen) return tl::make_unexpected(std::move(chosen.error()));
  std::error_code failed;
  const auto absolute = std::filesystem::absolute(*chosen, failed);
  if (failed)
    return tl::make_unexpected(error{"find state directory", *std::move(chosen), failed, {}});
  std::string path = absolute.lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();

  if (auto made = make_with_parents(path); !made)
    return tl::make_unexpected(std::move(made.error()));
  const unique_fd directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) return system_failure("open state directory", path);
  if (auto ours = check_owner(directory.get(), path); !ours)
    return tl::make_unexpected(std::move(ours.error()));
  auto lock = take_lock(directory.get(), path);
  if (!lock) return tl::make_unexpected(std::move(lock.error()));
  return state_directory{std::move(path), *std::move(lock)};
}

} // namespace coppice::os
