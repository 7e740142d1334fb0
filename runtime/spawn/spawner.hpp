#pragma once
// How worker processes come to be: an interface with one implementation per way of making them
// (zygote_spawner, exec_spawner).

#include <coppice/runtime/error.hpp>
#include <coppice/runtime/os/child_process.hpp>
#include <coppice/runtime/os/unique_fd.hpp>
#include <coppice/runtime/wire/setup_step.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace coppice {

/// One process to make. The descriptors are the child's ends; the spawner closes them here once the
/// child has them, or the request has failed.
struct spawn_request {
  std::string group;             ///< the pool or agent: "web"
  std::string name;              ///< the slot: "web/2"; the process title shows it
  std::uint64_t worker_id = 0;   ///< the slot's address
  std::uint64_t incarnation = 0; ///< counts up per slot
  os::unique_fd control;         ///< required: SOCK_SEQPACKET
  os::unique_fd data;            ///< required: SOCK_STREAM
  os::unique_fd ledger;          ///< required: a memfd
  os::unique_fd in;              ///< the child's descriptor 0; none: /dev/null
  os::unique_fd out;             ///< 1; none: the primary's own
  os::unique_fd err;             ///< 2; none: the primary's own
  /// Taken in order before the worker's own code (process_settings.hpp makes them).
  std::vector<wire::setup_step> setup{};
};

/// Loop thread only, always the same one: a parent-death signal fires when the *thread* that made
/// the child ends.
class spawner {
public:
  /// The process, which exists but may not have run yet, or why there is none.
  using on_spawned = std::function<void(result<os::child_process>)>;

  spawner() = default;
  spawner(const spawner&) = delete;
  spawner& operator=(const spawner&) = delete;
  /// After it no callback fires. A process whose callback has not fired is killed and reaped.
  virtual ~spawner() = default;

  /// Makes a process. `done` is called exactly once, later, by the loop.
  virtual void spawn(spawn_request request, on_spawned done) = 0;

  /// Makes no more: what has not been answered fails, and so does every later request.
  virtual void stop() = 0;
};

} // namespace coppice
