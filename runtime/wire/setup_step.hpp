#pragma once
// One step of setting up a child process between its fork and its own code: a limit, an identity, a
// variable of its environment. The steps are made, in the order that works, from process_settings
// (spawn/process_settings.hpp); they travel with a spawn order to the zygote, or are taken by a
// program's child before it is exec'd. A value; pure.

#include <cstdint>
#include <string>
#include <vector>

namespace coppice::wire {

enum class setup_kind : std::uint32_t {
  clear_environment = 1, ///< nothing is inherited
  unset_variable = 2,    ///< text: its name
  set_variable = 3,      ///< text: "NAME=value"
  limit = 4,             ///< numbers: resource, soft, hard (setrlimit(2))
  nice = 5,              ///< numbers: the nice value plus 20, so 0 to 39
  processors = 6,        ///< numbers: the processors it may run on, 1 or more
  umask = 7,             ///< numbers: the mask
  groups = 8,            ///< numbers: the supplementary groups
  gid = 9,               ///< numbers: the one gid, real, effective and saved
  uid = 10,              ///< numbers: the one uid, real, effective and saved
  directory = 11,        ///< text: the working directory
  no_new_privileges = 12,
};
inline constexpr std::uint32_t last_setup_kind = 12;

struct setup_step {
  setup_kind kind = setup_kind::no_new_privileges;
  std::string text{};
  std::vector<std::uint64_t> numbers{};
  bool operator==(const setup_step&) const = default;
};

} // namespace coppice::wire
