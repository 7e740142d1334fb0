#include <coppice/runtime/spawn/process_settings.hpp>

#include <coppice/runtime/limits.hpp>

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <unistd.h>

namespace coppice {
namespace {

using wire::setup_kind;
using wire::setup_step;

constexpr std::array resource_names{
    std::pair{RLIMIT_CPU, "CPU"},           std::pair{RLIMIT_FSIZE, "FSIZE"},
    std::pair{RLIMIT_DATA, "DATA"},         std::pair{RLIMIT_STACK, "STACK"},
    std::pair{RLIMIT_CORE, "CORE"},         std::pair{RLIMIT_RSS, "RSS"},
    std::pair{RLIMIT_NPROC, "NPROC"},       std::pair{RLIMIT_NOFILE, "NOFILE"},
    std::pair{RLIMIT_MEMLOCK, "MEMLOCK"},   std::pair{RLIMIT_AS, "AS"},
    std::pair{RLIMIT_LOCKS, "LOCKS"},       std::pair{RLIMIT_SIGPENDING, "SIGPENDING"},
    std::pair{RLIMIT_MSGQUEUE, "MSGQUEUE"}, std::pair{RLIMIT_NICE, "NICE"},
    std::pair{RLIMIT_RTPRIO, "RTPRIO"},     std::pair{RLIMIT_RTTIME, "RTTIME"}};

std::string resource_name(std::uint64_t resource) {
  for (const auto& [number, name] : resource_names)
    if (static_cast<std::uint64_t>(number) == resource) return name;
  return std::to_string(resource);
}

std::string limit_text(std::uint64_t value) {
  return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

class settings_check {
public:
  explicit settings_check(const process_settings& settings) : its_{settings} {}

  std::vector<settings_error> run() {
    for (const auto& name : its_.unset)
      if (!is_name(name)) add("unset", name, "is no name of a variable");
    for (const auto& entry : its_.set) variable(entry);
    if (its_.directory.find('\0') != std::string::npos) add("directory", "", "has a zero byte");
    if (!its_.directory.empty() && its_.directory.front() != '/')
      add("directory", its_.directory, "must be absolute");
    identity();
    if (its_.umask && *its_.umask > 0777)
      add("umask", fmt::format("{:#o}", *its_.umask), "is not within 0 and 0777");
    if (its_.nice && (*its_.nice < -20 || *its_.nice > 19))
      add("nice", std::to_string(*its_.nice), "is not within -20 and 19");
    for (const auto& limit : its_.limits) resource(limit);
    for (const unsigned number : its_.processors)
      if (number >= limits::processors)
        add("processors", std::to_string(number),
            fmt::format("is not below {}", limits::processors));
    if (found_.empty()) size();
    return std::move(found_);
  }

private:
  static bool is_name(const std::string& text) {
    return !text.empty() && text.find('=') == text.npos && text.find('\0') == text.npos;
  }

  void variable(const std::string& entry) {
    const auto end = entry.find('=');
    if (end == entry.npos || !is_name(entry.substr(0, end)) || entry.find('\0') != entry.npos)
      add("set", entry, "is not NAME=value");
    else if (entry.starts_with("COPPICE_"))
      add("set", entry, "names that begin with COPPICE_ are the library's own");
  }

  void identity() {
    const bool numbers = its_.uid || its_.gid || its_.groups;
    if (!its_.user.empty() && numbers)
      add("user", its_.user, "comes with its own uid, gid and groups");
    if (its_.uid && !its_.gid)
      add("uid", std::to_string(*its_.uid), "needs a gid, or the process keeps the primary's");
    // -1 means "as it is" to setresuid(2) and its kin.
    if (its_.uid == UINT32_MAX) add("uid", std::to_string(*its_.uid), "is no user's");
    if (its_.gid == UINT32_MAX) add("gid", std::to_string(*its_.gid), "is no group's");
    if (its_.groups && its_.groups->size() > limits::supplementary_groups)
      add("groups", std::to_string(its_.groups->size()),
          fmt::format("more than {}", limits::supplementary_groups));
  }

  void resource(const resource_limit& limit) {
    const bool known = std::any_of(resource_names.begin(), resource_names.end(),
                                   [&](const auto& each) { return each.first == limit.resource; });
    if (!known) add("limit", std::to_string(limit.resource), "is no resource of setrlimit(2)");
    if (limit.soft > limit.hard)
      add("limit", resource_name(static_cast<std::uint64_t>(limit.resource)),
          fmt::format("soft ({}) is above hard ({})", limit_text(limit.soft),
                      limit_text(limit.hard)));
  }

  /// They travel in one packet with the spawn order.
  void size() {
    const auto steps = steps_of(its_);
    std::size_t bytes = 0;
    for (const auto& step : steps) {
      if (step.text.size() > limits::reason)
        add("set", step.text.substr(0, 40) + "...",
            fmt::format("is longer than {} bytes", limits::reason));
      bytes += step.text.size() + 9 * step.numbers.size() + 16;
    }
    if (steps.size() > limits::setup_steps)
      add("settings", std::to_string(steps.size()),
          fmt::format("are more than {} steps", limits::setup_steps));
    if (bytes > limits::setup_bytes)
      add("settings", std::to_string(bytes),
          fmt::format("are more than {} bytes", limits::setup_bytes));
  }

  void add(std::string field, std::string value, std::string why) {
    found_.push_back({std::move(field), std::move(value), std::move(why)});
  }

  const process_settings& its_;
  std::vector<settings_error> found_;
};

template <class Number>
std::vector<std::uint64_t> widened(const std::vector<Number>& numbers) {
  return {numbers.begin(), numbers.end()};
}

std::string listed(const std::vector<std::uint64_t>& numbers) {
  return fmt::format("{}", fmt::join(numbers, ","));
}

struct step_words {
  const char* verb;
  std::string object;
};

step_words words_for(const setup_step& step) {
  switch (step.kind) {
  case setup_kind::clear_environment:
    return {"clear environment", {}};
  case setup_kind::unset_variable:
    return {"unset", step.text};
  case setup_kind::set_variable: // the value may be a secret
    return {"set", step.text.substr(0, step.text.find('='))};
  case setup_kind::limit:
    return {"setrlimit",
            fmt::format("{} {}:{}", resource_name(step.numbers.at(0)),
                        limit_text(step.numbers.at(1)), limit_text(step.numbers.at(2)))};
  case setup_kind::nice:
    return {"setpriority", std::to_string(static_cast<int>(step.numbers.at(0)) - 20)};
  case setup_kind::processors:
    return {"sched_setaffinity", listed(step.numbers)};
  case setup_kind::umask:
    return {"umask", fmt::format("{:#o}", step.numbers.at(0))};
  case setup_kind::groups:
    return {"setgroups", listed(step.numbers)};
  case setup_kind::gid:
    return {"setgid", listed(step.numbers)};
  case setup_kind::uid:
    return {"setuid", listed(step.numbers)};
  case setup_kind::directory:
    return {"chdir", step.text};
  case setup_kind::no_new_privileges:
    return {"set no_new_privs", {}};
  }
  return {"set up", {}};
}

} // namespace

std::vector<settings_error> validate(const process_settings& settings) {
  return settings_check{settings}.run();
}

result<process_settings> with_user(process_settings settings) {
  if (settings.user.empty()) return settings;
  const std::string object = "user " + settings.user;
  std::vector<char> text(limits::account_text);
  passwd account{};
  passwd* found = nullptr;
  if (const int failed =
          ::getpwnam_r(settings.user.c_str(), &account, text.data(), text.size(), &found))
    return system_failure("look up", object, failed);
  if (found == nullptr) return failure_because("look up", object, "there is no such user");
  std::vector<gid_t> groups(limits::supplementary_groups);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(settings.user.c_str(), account.pw_gid, groups.data(), &count) < 0)
    return failure_because("look up", object,
                           fmt::format("it is in {} groups, more than {}", count, groups.size()));
  groups.resize(static_cast<std::size_t>(count));
  settings.user.clear();
  settings.uid = account.pw_uid;
  settings.gid = account.pw_gid;
  settings.groups.emplace(groups.begin(), groups.end());
  return settings;
}

std::vector<setup_step> steps_of(const process_settings& settings) {
  std::vector<setup_step> steps;
  if (settings.clear_environment) steps.push_back({setup_kind::clear_environment});
  for (const auto& name : settings.unset) steps.push_back({setup_kind::unset_variable, name});
  for (const auto& entry : settings.set) steps.push_back({setup_kind::set_variable, entry});
  for (const auto& limit : settings.limits)
    steps.push_back({setup_kind::limit,
                     {},
                     {static_cast<std::uint64_t>(limit.resource), limit.soft, limit.hard}});
  if (settings.nice)
    steps.push_back({setup_kind::nice, {}, {static_cast<std::uint64_t>(*settings.nice + 20)}});
  if (!settings.processors.empty())
    steps.push_back({setup_kind::processors, {}, widened(settings.processors)});
  if (settings.umask) steps.push_back({setup_kind::umask, {}, {*settings.umask}});
  if (settings.groups)
    steps.push_back({setup_kind::groups, {}, widened(*settings.groups)});
  else if (settings.uid)
    steps.push_back({setup_kind::groups}); // the primary's own are not for everybody
  if (settings.gid) steps.push_back({setup_kind::gid, {}, {*settings.gid}});
  if (settings.uid) steps.push_back({setup_kind::uid, {}, {*settings.uid}});
  if (!settings.directory.empty()) steps.push_back({setup_kind::directory, settings.directory});
  if (settings.no_new_privileges) steps.push_back({setup_kind::no_new_privileges});
  return steps;
}

error step_error(const setup_step& step, int code) {
  auto [verb, object] = words_for(step);
  return {verb, std::move(object), std::error_code{code, std::system_category()}, {}};
}

bool changes_identity(const std::vector<setup_step>& steps) noexcept {
  return std::any_of(steps.begin(), steps.end(), [](const setup_step& step) {
    return step.kind == setup_kind::groups || step.kind == setup_kind::gid ||
           step.kind == setup_kind::uid;
  });
}

} // namespace coppice
