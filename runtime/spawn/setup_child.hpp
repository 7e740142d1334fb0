#pragma once
// Takes setup steps in a new child, between its fork and its own code. System calls only: the child
// may share its parent's memory (vfork) or be the copy of one thread of many (fork), where no lock,
// no allocation and none of libc's setuid wrappers, which signal every thread, would do.

#include <coppice/runtime/wire/setup_step.hpp>

#include <cstddef>
#include <span>

namespace coppice {

struct setup_outcome {
  std::size_t failed = 0; ///< the index of the step that failed
  int code = 0;           ///< its errno; 0: none has failed
};

/// All steps but those of the environment, in order, up to the first that fails. A step that has
/// changed the uid has also cleared the parent-death signal (prctl(2)): set it after this.
[[nodiscard]] setup_outcome take_steps(std::span<const wire::setup_step> steps) noexcept;

/// The steps of the environment, for a process with one thread (setenv(3)).
void take_environment_steps(std::span<const wire::setup_step> steps);

} // namespace coppice
