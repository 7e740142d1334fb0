#pragma once
// From a service's spec to the children of its root supervisor: listeners, agents, pools with their
// dispatchers and worker proxies.

#include <asio/io_context.hpp>
#include <coppice/actors/mail_sorter.hpp>
#include <coppice/actors/pool_roster.hpp>
#include <coppice/actors/spec.hpp>
#include <coppice/runtime/caf/actor_loop.hpp>
#include <coppice/runtime/lease/crash_report_store.hpp>
#include <coppice/runtime/net/acceptor.hpp>
#include <coppice/runtime/net/first_bytes.hpp>
#include <coppice/runtime/spawn/spawner.hpp>
#include <coppice/supervisors/supervisor.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace coppice {

/// What the tree stands on; all of it outlives the tree.
struct tree_ground {
  asio::io_context* io = nullptr;
  actor_loop* actors = nullptr;
  spawner* processes = nullptr;
  logger* log = nullptr;
  std::uint64_t seed = 1;                ///< of the backoffs' jitter
  crash_report_store* reports = nullptr; ///< null: crash reports are not kept
  post_office* post = nullptr;           ///< null: messages go nowhere
};

/// The endpoints and the meeting point of one group.
struct group_ground {
  std::vector<std::unique_ptr<acceptor>> endpoints; ///< null for udp
  std::shared_ptr<pool_roster> roster;              ///< null: it has no endpoints
  std::unique_ptr<first_bytes> bytes;               ///< null: its policy does not go by them
  /// The most that any of its endpoints' connections have.
  protection level = protection::none;
};
using group_grounds = std::map<std::string, group_ground>;

/// The root's children, in start order: the listeners, which accept nothing before a worker is
/// ready; then the agents; then everything else as the spec has it. `groups` and `ground` must
/// outlive them.
[[nodiscard]] std::vector<startable> make_tree(const service_spec& spec, group_grounds& groups,
                                               const tree_ground& ground);

/// What starts a program, now or later; `ground` must outlive it.
[[nodiscard]] child_maker maker_of(const program_spec& spec, const tree_ground& ground);

/// The spec of a pool's or agent's supervisor, and of one of its workers: for make_tree and for
/// validate.
[[nodiscard]] supervisor_spec supervisor_of(const group_spec& group);
[[nodiscard]] child_spec worker_of(const group_spec& group, const std::string& name);
/// What all workers of a pool or dynamic group are made from.
[[nodiscard]] child_template template_of(const group_spec& group);
/// A group, and a supervisor, as the child of the supervisor above it.
[[nodiscard]] child_spec child_of(const group_spec& group);
[[nodiscard]] child_spec child_of(const nested_spec& nested);
/// "web/2", or "janitor" for an agent.
[[nodiscard]] std::string worker_name(const group_spec& group, unsigned slot);
[[nodiscard]] std::chrono::milliseconds patience_of(const group_spec& group);

} // namespace coppice
