#pragma once
// What a child process is to be besides its program: environment, directory, identity, limits.
// Plain values for workers, programs and run_program alike; pure but for `with_user`.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/wire/setup_step.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coppice {

/// One resource limit (setrlimit(2)).
struct resource_limit {
  int resource = 0;       ///< RLIMIT_NOFILE, RLIMIT_AS, ...
  std::uint64_t soft = 0; ///< RLIM_INFINITY: none
  std::uint64_t hard = 0; ///< at least `soft`; raising it takes CAP_SYS_RESOURCE
  bool operator==(const resource_limit&) const = default;
};

/// Everything is inherited from the primary (for workers: from the zygote) unless it is set here.
struct process_settings {
  /// Begin with no variables at all.
  bool clear_environment = false;
  /// Names of variables to take away.
  std::vector<std::string> unset{};
  /// "NAME=value", each added or replaced, in this order.
  std::vector<std::string> set{};
  /// Changed to last, with the new identity: the directory must be one that it may enter.
  std::string directory{};
  /// A name of the user database: sets uid, gid and groups to the account's. Looked up once, by the
  /// primary. Not together with uid, gid or groups.
  std::string user{};
  /// Real, effective and saved alike; a uid needs a gid. Takes CAP_SETUID and CAP_SETGID.
  std::optional<std::uint32_t> uid{};
  std::optional<std::uint32_t> gid{};
  /// Supplementary groups. Not set: as they are, but none if a uid is set.
  std::optional<std::vector<std::uint32_t>> groups{};
  std::optional<std::uint32_t> umask{}; ///< 0 to 0777
  std::optional<int> nice{};            ///< -20 to 19; less than now takes CAP_SYS_NICE
  std::vector<resource_limit> limits{};
  std::vector<unsigned> processors{}; ///< that it may run on; empty: as now
  /// Neither it nor what it starts gains privileges by exec (PR_SET_NO_NEW_PRIVS, prctl(2)).
  bool no_new_privileges = false;

  [[nodiscard]] bool empty() const { return *this == process_settings{}; }
  bool operator==(const process_settings&) const = default;
};

/// One thing that is wrong with settings.
struct settings_error {
  std::string field; ///< "nice"
  std::string value; ///< "-21"
  std::string why;   ///< "is not within -20 and 19"
  bool operator==(const settings_error&) const = default;
};
/// Everything that is wrong; empty: nothing. Pure: whether `user` exists is not looked up.
[[nodiscard]] std::vector<settings_error> validate(const process_settings& settings);

/// The same settings with `user` looked up and replaced by its numbers (getpwnam_r(3),
/// getgrouplist(3)). Errors: verb "look up", object "user NAME".
[[nodiscard]] result<process_settings> with_user(process_settings settings);

/// The steps, in the order that works: limits and priorities while the process may still raise
/// them; then groups, gid and uid, each of which takes the privilege that the next one removes; the
/// directory with the identity that will use it (as root, a directory on NFS may be closed that is
/// the user's own). None for settings that are empty. `user` must have been looked up.
[[nodiscard]] std::vector<wire::setup_step> steps_of(const process_settings& settings);

/// What failed in a child: "setgid 65534: Operation not permitted".
[[nodiscard]] error step_error(const wire::setup_step& step, int code);

/// Whether a step changes who the process is.
[[nodiscard]] bool changes_identity(const std::vector<wire::setup_step>& steps) noexcept;

} // namespace coppice
