// Compiled without sanitizers: their run-time has no place in a child that shares memory.
#include <coppice/runtime/spawn/setup_child.hpp>

#include <coppice/runtime/limits.hpp>

#include <cerrno>
#include <cstdlib>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace coppice {
namespace {

using wire::setup_kind;
using wire::setup_step;

// Where the plain numbers are those of 16-bit ids.
#ifdef SYS_setresuid32
constexpr long set_groups = SYS_setgroups32;
constexpr long set_gid = SYS_setresgid32;
constexpr long set_uid = SYS_setresuid32;
#else
constexpr long set_groups = SYS_setgroups;
constexpr long set_gid = SYS_setresgid;
constexpr long set_uid = SYS_setresuid;
#endif

int answer(long result) noexcept { return result < 0 ? errno : 0; }

int set_limit(const setup_step& step) noexcept {
  const std::uint64_t limit[] = {step.numbers[1], step.numbers[2]}; // prlimit(2), rlimit64
  return answer(::syscall(SYS_prlimit64, 0, step.numbers[0], limit, nullptr));
}

int set_processors(const setup_step& step) noexcept {
  constexpr std::size_t bits = 8 * sizeof(unsigned long);
  unsigned long mask[limits::processors / bits] = {};
  for (const std::uint64_t number : step.numbers) {
    if (number >= limits::processors) return EINVAL;
    mask[number / bits] |= 1UL << (number % bits);
  }
  return answer(::syscall(SYS_sched_setaffinity, 0, sizeof mask, mask));
}

int set_supplementary(const setup_step& step) noexcept {
  gid_t groups[limits::supplementary_groups];
  if (step.numbers.size() > limits::supplementary_groups) return EINVAL;
  for (std::size_t i = 0; i < step.numbers.size(); ++i)
    groups[i] = static_cast<gid_t>(step.numbers[i]);
  return answer(::syscall(set_groups, step.numbers.size(), groups));
}

int take(const setup_step& step) noexcept {
  const auto number = [&](std::size_t i) { return step.numbers[i]; };
  switch (step.kind) {
  case setup_kind::clear_environment:
  case setup_kind::unset_variable:
  case setup_kind::set_variable:
    return 0;
  case setup_kind::limit:
    return set_limit(step);
  case setup_kind::nice:
    return answer(::syscall(SYS_setpriority, 0, 0, static_cast<long>(number(0)) - 20));
  case setup_kind::processors:
    return set_processors(step);
  case setup_kind::umask:
    return answer(::syscall(SYS_umask, number(0)));
  case setup_kind::groups:
    return set_supplementary(step);
  case setup_kind::gid:
    return answer(::syscall(set_gid, number(0), number(0), number(0)));
  case setup_kind::uid:
    return answer(::syscall(set_uid, number(0), number(0), number(0)));
  case setup_kind::directory:
    return answer(::syscall(SYS_chdir, step.text.c_str()));
  case setup_kind::no_new_privileges:
    return answer(::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  }
  return EINVAL;
}

} // namespace

setup_outcome take_steps(std::span<const setup_step> steps) noexcept {
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (const int code = take(steps[i])) return {i, code};
  return {};
}

void take_environment_steps(std::span<const setup_step> steps) {
  for (const setup_step& step : steps) {
    if (step.kind == setup_kind::clear_environment) {
      ::clearenv();
    } else if (step.kind == setup_kind::unset_variable) {
      ::unsetenv(step.text.c_str());
    } else if (step.kind == setup_kind::set_variable) {
      const auto end = step.text.find('=');
      ::setenv(step.text.substr(0, end).c_str(), step.text.c_str() + end + 1, 1);
    }
  }
}

} // namespace coppice
