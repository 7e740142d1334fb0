#pragma once
// Which process a zygote was making when it died. One page of shared memory between a zygote, which
// maps it, and the primary, which only reads it (with pread: no SIGBUS, no memory shared with a
// process that may be broken).
//
// The kernel itself writes the pid of a new worker here (clone(2), CLONE_PARENT_SETTID), before the
// worker runs and before the zygote's call returns. So whenever a zygote is killed, the register
// says exactly whether the request it worked on has a process. That process is then taken as the
// answer; making another one would have two of them on the same channels.

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/unique_fd.hpp>

#include <atomic>
#include <cstdint>
#include <sys/types.h>

namespace coppice {

/// What the register holds; 0 is none.
struct birth {
  std::uint64_t request = 0; ///< the request last begun
  pid_t worker = 0;          ///< its process
  pid_t middle = 0;          ///< the process between zygote and worker, if the fork is a double one
};

/// The zygote's side.
class birth_register {
public:
  [[nodiscard]] static result<birth_register> map(os::unique_fd file);
  birth_register(birth_register&& other) noexcept;
  birth_register& operator=(birth_register&&) = delete;
  ~birth_register() { unmap(); }

  void begin(std::uint64_t request) noexcept;
  /// Where the kernel is to write pids.
  [[nodiscard]] pid_t* worker_slot() noexcept;
  [[nodiscard]] pid_t* middle_slot() noexcept;
  void set_worker(pid_t pid) noexcept { page_->worker = pid; }
  [[nodiscard]] pid_t worker() const noexcept { return page_->worker; }
  /// The middle process is reaped: its pid may be somebody else's from now on.
  void forget_middle() noexcept { page_->middle = 0; }
  /// In the worker: the register is its maker's.
  void unmap() noexcept;

private:
  friend class birth_reader;
  struct page {
    std::atomic<std::uint64_t> request;
    std::atomic<pid_t> worker;
    std::atomic<pid_t> middle;
  };
  static_assert(sizeof(std::atomic<pid_t>) == sizeof(pid_t));

  explicit birth_register(page* mapped) noexcept : page_{mapped} {}

  page* page_;
};

/// The primary's side: makes the register for one zygote.
class birth_reader {
public:
  [[nodiscard]] static result<birth_reader> make();

  /// Borrowed: what the zygote gets.
  [[nodiscard]] int file() const noexcept { return file_.get(); }
  /// Of one moment once the zygote is dead.
  [[nodiscard]] birth read() const noexcept;

private:
  explicit birth_reader(os::unique_fd file) noexcept : file_{std::move(file)} {}

  os::unique_fd file_;
};

} // namespace coppice
