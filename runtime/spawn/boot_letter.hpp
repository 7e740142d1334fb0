#pragma once
// What a process of the tree is told at its start: environment variables, and descriptors at fixed
// numbers. The variables are taken out of the environment when they are read.

#include <coppice/runtime/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace coppice::boot {

inline constexpr const char* role = "COPPICE_ROLE";       ///< "zygote" or "worker"
inline constexpr const char* primary = "COPPICE_PRIMARY"; ///< to a zygote: the primary's pid
inline constexpr const char* fork_way = "COPPICE_FORK";   ///< to a zygote: "clone", "double_fork"
inline constexpr const char* worker = "COPPICE_WORKER";   ///< to an exec'd worker: a worker_letter

/// A zygote's descriptors.
inline constexpr int zygote_channel = 3;
inline constexpr int zygote_births = 4;
/// An exec'd worker's descriptors.
inline constexpr int worker_control = 3;
inline constexpr int worker_data = 4;
inline constexpr int worker_ledger = 5;

/// Who an exec'd worker is:
///   letter := worker_id SP incarnation SP primary_pid SP bytes_of_group SP group name
struct worker_letter {
  std::string group;
  std::string name;
  std::uint64_t worker_id = 0;
  std::uint64_t incarnation = 0;
  pid_t primary = 0;
  bool operator==(const worker_letter&) const = default;
};
[[nodiscard]] std::string write_letter(const worker_letter& letter);
[[nodiscard]] result<worker_letter> read_letter(std::string_view text);

/// The whole of `text` as a number.
[[nodiscard]] result<std::uint64_t> read_number(std::string_view text, const char* what);

} // namespace coppice::boot
