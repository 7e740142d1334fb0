#pragma once
// What a program built with coppice says about itself: a supervision tree of pools, agents and
// supervisors, as plain values. Nothing starts before `run` (or `primary`) has validated all of it.
//
//     run(argc, argv, {.children = {agent("janitor", janitor),
//                                   pool("web",
//                                   web).instances(per_core).listen("tcp://0.0.0.0:8080")}});
//
// No thread-safety of its own: values. Bodies are called in worker processes only, the callbacks in
// the primary only.

#include <chrono>
#include <coppice/actors/actor_spec.hpp>
#include <coppice/actors/health.hpp>
#include <coppice/actors/health_builder.hpp>
#include <coppice/actors/policy.hpp>
#include <coppice/actors/primary_message.hpp>
#include <coppice/actors/program_spec.hpp>
#include <coppice/actors/settings_builder.hpp>
#include <coppice/actors/supervisor_calls.hpp>
#include <coppice/runtime/lease/protection.hpp>
#include <coppice/runtime/log.hpp>
#include <coppice/runtime/worker/worker_main.hpp>
#include <coppice/supervisors/child_spec.hpp>
#include <coppice/supervisors/supervisor_spec.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace coppice {

/// As many workers as there are processors this process may run on.
struct per_core_t {};
inline constexpr per_core_t per_core{};

/// How worker processes are made.
enum class spawn_method {
  zygote, ///< forked from a process that is started once: some 0.3 ms each
  exec, ///< the program is executed anew for each worker: an address-space layout of its own, some
        ///< 3 ms each
};

/// A set of processes that run the same body: a pool's workers, one agent, or dynamic workers.
struct group_spec {
  enum class kind { pool, agent, dynamic };

  kind what = kind::pool;
  /// Unique in the whole tree; letters, digits, '_', '-' and '.'. Workers are called NAME/1,
  /// NAME/2, ...
  std::string name{};
  /// Runs in each worker process. Required.
  worker_body body{};
  /// Number of processes, 1 to 1024; nothing: one per core. An agent has one, a dynamic group
  /// starts with none.
  std::optional<unsigned> instances{};
  /// There are never more, whoever asks; 1 to 10,000. Default: 1024.
  unsigned max_children = 1024;
  /// Endpoints to serve, as "tcp://HOST:PORT", "udp://HOST:PORT", "unix:///PATH", "unix://@NAME" or
  /// "fd://NUMBER",
  /// with options behind a '?': see endpoint.hpp and listen_options.hpp. Port 0 takes a free one.
  std::vector<std::string> endpoints{};
  /// Which worker gets a connection. Only for pools with endpoints. Default: round_robin.
  dispatch_policy policy{};
  /// How much of a connection outlives its worker, as far as the service can stand it (see
  /// worker::serve; http::serve can stand all). `none` spares each connection a few pages of
  /// memory. Default: `request` where the kernel counts a connection's bytes, `none` over unix
  /// sockets and with fast_open, where more cannot be asked for.
  std::optional<protection> protect{};
  /// How many connections the pool has at most, and how many each of its workers. At the limit
  /// nothing more is accepted: the rest waits in the kernel's backlog. Only for pools with
  /// endpoints. Default: as many as there are descriptors for.
  std::optional<std::size_t> max_connections{};
  std::optional<std::size_t> max_connections_per_worker{};
  restart_type restart = permanent;
  coppice::backoff backoff{};
  /// How long a worker may take to finish what it has when it is asked to end. Default: 25 s for
  /// pools with endpoints, 5 s for others.
  std::optional<shutdown_time> shutdown{};
  /// How long a worker may take to become ready. Default: 60 s.
  std::optional<std::chrono::milliseconds> ready_timeout{};
  /// How many restarts are too many. What counts, and what follows, is up to `on_exceeded`.
  restart_limit intensity{};
  /// Default: degrade for pools, escalate for others.
  std::optional<exceeded_policy> on_exceeded{};
  /// The end of the whole group by itself may end the supervisor it belongs to, see its
  /// auto_shutdown: an agent that is done, or the last of the dynamic workers. Only for agents and
  /// dynamic groups that are transient or temporary.
  bool significant = false;
  /// What its processes are set up with before the body runs.
  process_settings settings{};
  /// When a worker counts as hung, and when it is replaced.
  health_limits health{};
};

class child;

/// A supervisor within the tree.
struct nested_spec {
  std::string name{};
  restart_strategy strategy = one_for_one;
  restart_limit intensity{};
  restart_type restart = permanent;
  /// Whether it ends when its significant children have ended by themselves.
  auto_shutdown_policy auto_shutdown = auto_shutdown_policy::never;
  /// Its own end by auto_shutdown may end the supervisor above it. Only if it is transient or
  /// temporary.
  bool significant = false;
  /// How long it may take to stop, with all below it. Default: infinity.
  std::optional<shutdown_time> shutdown{};
  /// Of its own restarts, after it has given up.
  coppice::backoff backoff{};
  std::vector<child> children{};
};

/// One entry of a supervisor's children: whatever pool, agent, program, supervisor and actor
/// (actor_child.hpp) make.
class child {
public:
  child(group_spec group) : what_{std::move(group)} {}
  child(const coppice::program& program) : what_{program.spec()} {}
  child(actor_spec actor) : what_{std::move(actor)} {}
  child(nested_spec nested) : what_{std::make_shared<const nested_spec>(std::move(nested))} {}

  /// Null if it is the other kind.
  [[nodiscard]] const group_spec* group() const { return std::get_if<group_spec>(&what_); }
  [[nodiscard]] const program_spec* program() const { return std::get_if<program_spec>(&what_); }
  [[nodiscard]] const actor_spec* actor() const { return std::get_if<actor_spec>(&what_); }
  [[nodiscard]] const nested_spec* nested() const {
    const auto* p = std::get_if<std::shared_ptr<const nested_spec>>(&what_);
    return p ? p->get() : nullptr;
  }

private:
  std::variant<group_spec, program_spec, actor_spec, std::shared_ptr<const nested_spec>> what_;
};

// A body is a function of worker&, or a coroutine function of it (see make_worker_body).

/// A pool of workers: `pool("web", body).instances(4).listen("tcp://0.0.0.0:8080")`. See group_spec
/// for what each setting means and its default, and settings_builder and health_builder for those
/// of its processes.
class pool : public settings_builder<pool>, public health_builder<pool> {
public:
  template <class Body>
  pool(std::string name, Body body) {
    spec_.name = std::move(name);
    spec_.body = make_worker_body(std::move(body));
  }
  pool& instances(unsigned n) { return spec_.instances = n, *this; }
  pool& instances(per_core_t) { return spec_.instances.reset(), *this; }
  /// May be called several times: a worker is told which endpoint a connection came from.
  pool& listen(std::string endpoint) {
    spec_.endpoints.push_back(std::move(endpoint));
    return *this;
  }
  /// `round_robin`, `least_connections`, `weighted({3, 1})`, ...: see policy.hpp.
  pool& policy(dispatch_policy how) { return spec_.policy = std::move(how), *this; }
  pool& protection(coppice::protection level) { return spec_.protect = level, *this; }
  /// All workers' together.
  pool& max_connections(std::size_t most) { return spec_.max_connections = most, *this; }
  pool& max_connections_per_worker(std::size_t most) {
    return spec_.max_connections_per_worker = most, *this;
  }
  pool& restart(restart_type type) { return spec_.restart = type, *this; }
  pool& backoff(coppice::backoff waits) { return spec_.backoff = waits, *this; }
  pool& shutdown(shutdown_time time) { return spec_.shutdown = time, *this; }
  pool& ready_timeout(std::chrono::milliseconds time) { return spec_.ready_timeout = time, *this; }
  pool& intensity(restart_limit limit) { return spec_.intensity = limit, *this; }
  pool& on_exceeded(exceeded_policy policy) { return spec_.on_exceeded = policy, *this; }
  pool& max_children(unsigned most) { return spec_.max_children = most, *this; }

  pool& max_requests(std::uint64_t n) { return spec_.health.max_requests = n, *this; }

  [[nodiscard]] process_settings& settings() { return spec_.settings; }
  [[nodiscard]] health_limits& health() { return spec_.health; }

  operator child() const { return {spec_}; }

private:
  group_spec spec_;
};

/// One process for background work that must exist once. It is ready before what comes after it in
/// the spec starts. Under one_for_all and rest_for_one its deaths count for the supervisor it
/// belongs to, and it has no intensity of its own.
class agent : public settings_builder<agent>, public health_builder<agent> {
public:
  template <class Body>
  agent(std::string name, Body body) {
    spec_.what = group_spec::kind::agent;
    spec_.name = std::move(name);
    spec_.body = make_worker_body(std::move(body));
    spec_.instances = 1;
  }
  agent& restart(restart_type type) { return spec_.restart = type, *this; }
  agent& backoff(coppice::backoff waits) { return spec_.backoff = waits, *this; }
  agent& shutdown(shutdown_time time) { return spec_.shutdown = time, *this; }
  agent& ready_timeout(std::chrono::milliseconds time) { return spec_.ready_timeout = time, *this; }
  agent& intensity(restart_limit limit) { return spec_.intensity = limit, *this; }
  agent& on_exceeded(exceeded_policy policy) { return spec_.on_exceeded = policy, *this; }
  agent& significant(bool is = true) { return spec_.significant = is, *this; }

  [[nodiscard]] process_settings& settings() { return spec_.settings; }
  [[nodiscard]] health_limits& health() { return spec_.health; }

  operator child() const { return {spec_}; }

private:
  group_spec spec_;
};

/// Worker processes that are added at run time, each by a start_child call (supervisor_calls.hpp):
/// `dynamic("jobs", body).restart(temporary).max_children(16)`. OTP's simple_one_for_one. Those
/// that have ended for good are forgotten.
class dynamic : public settings_builder<dynamic>, public health_builder<dynamic> {
public:
  template <class Body>
  dynamic(std::string name, Body body) {
    spec_.what = group_spec::kind::dynamic;
    spec_.name = std::move(name);
    spec_.body = make_worker_body(std::move(body));
    spec_.instances = 0;
  }
  dynamic& max_children(unsigned most) { return spec_.max_children = most, *this; }
  dynamic& restart(restart_type type) { return spec_.restart = type, *this; }
  dynamic& backoff(coppice::backoff waits) { return spec_.backoff = waits, *this; }
  dynamic& shutdown(shutdown_time time) { return spec_.shutdown = time, *this; }
  dynamic& ready_timeout(std::chrono::milliseconds time) {
    return spec_.ready_timeout = time, *this;
  }
  dynamic& intensity(restart_limit limit) { return spec_.intensity = limit, *this; }
  dynamic& on_exceeded(exceeded_policy policy) { return spec_.on_exceeded = policy, *this; }
  dynamic& significant(bool is = true) { return spec_.significant = is, *this; }

  [[nodiscard]] process_settings& settings() { return spec_.settings; }
  [[nodiscard]] health_limits& health() { return spec_.health; }

  operator child() const { return {spec_}; }

private:
  group_spec spec_;
};

/// A supervisor below the root: `supervisor("back", {.children = {...}})`.
[[nodiscard]] inline child supervisor(std::string name, nested_spec spec) {
  spec.name = std::move(name);
  return {std::move(spec)};
}

/// What `on_ready` is told.
struct service_started {
  pid_t pid = 0;                      ///< of the primary
  std::vector<std::string> endpoints; ///< with their real ports, in the order of the spec
  std::size_t workers = 0;            ///< processes, agents included
  supervisor_calls supervisors;       ///< to ask them while they run; may be kept
};

/// The whole program: the root supervisor and what belongs to the process.
struct service_spec {
  restart_strategy strategy = one_for_one;
  /// Of the root. Intensities multiply from level to level, hence the small one.
  restart_limit intensity{.restarts = 3, .period = std::chrono::seconds{60}};
  auto_shutdown_policy auto_shutdown = auto_shutdown_policy::never;
  std::vector<child> children{};

  /// Names the program in its state directory and in logs. Default: the last part of argv[0].
  std::string name{};
  /// Where the primary keeps its lock, mode 0700. Default: COPPICE_STATE_DIR, else
  /// $XDG_RUNTIME_DIR/coppice/NAME, else /run/coppice/NAME. One primary for each.
  std::string state_dir{};
  spawn_method spawn = spawn_method::zygote;
  /// Runs once in the zygote, before any worker is forked, which then shares what it loaded.
  std::function<void()> preload{};
  log_level verbosity = log_level::info;
  /// Once, when every child is ready.
  std::function<void(const service_started&)> on_ready{};
  /// Messages to 0 or "primary". Without it each is a line in the log at most, and asks are told
  /// no_handler.
  on_primary_message on_message{};
};

/// Everything that is wrong with a spec, each a line that names child, field and value; empty: it
/// is fine.
[[nodiscard]] std::vector<std::string> validate(const service_spec& spec);

/// The same for a program that is to be a child some time.
[[nodiscard]] std::vector<std::string> validate(const program_spec& spec);

/// All pools and agents, in the order of the spec, nested ones included: agents first get worker
/// ids 1.., then the pools' slots.
struct numbered_group {
  const group_spec* group = nullptr;
  std::uint64_t first_worker_id = 0;
  unsigned instances = 0;
};
[[nodiscard]] std::vector<numbered_group> number_groups(const service_spec& spec);
/// The ids from the root to the supervisor of this name; a name that the spec does not have is
/// taken as such a path itself, with '/' between.
[[nodiscard]] std::vector<std::string> path_of(const service_spec& spec, std::string_view name);
/// Whether there is a program among the children, nested ones included.
[[nodiscard]] bool has_programs(const service_spec& spec);
/// How many processes a group has: as it says, or one per core.
[[nodiscard]] unsigned instances_of(const group_spec& group);

} // namespace coppice
